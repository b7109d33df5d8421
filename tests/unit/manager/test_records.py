"""Records: whatever happens to a cache file, what is read from it is what was written whole."""

from __future__ import annotations

import os
import re
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.bounds.names import Name, TaskId
from locusts_fab.manager.records import (
    MANAGER_ID,
    Began,
    Ended,
    Left,
    Manager,
    Matched,
    Record,
    Suspect,
    ended_record,
    parse_record,
    parse_records,
    read_found,
    read_leave_reason,
    read_task_reason,
    write_found,
    write_piece,
)
from locusts_fab.model.swarms import LeaveReason
from locusts_fab.model.tasks import Outcome, Piece, TaskReason, TaskState
from locusts_fab.text import printable
from locusts_fab.tsv import escape, join_fields, split_fields, unescape

LIBRARY = Path(__file__).resolve().parents[3] / "templates" / "manager" / "records.sh"

#: Words that the writing side may put into a field: no tab, no newline, no mark of last words, any other text; other
#: bytes become escapes.
words = st.binary(max_size=12).map(lambda data: data.translate(None, b"\t\n\0\x1f").decode("utf-8", "backslashreplace"))
times = st.integers(0, 4 * 10**15).map(lambda us: us / 1_000_000)
claims = st.tuples(st.integers(1, 10**7), st.integers(1, 3)).map(lambda pair: f"{pair[0]:06d}.{pair[1]}.c0ffee12")
tasks = st.integers(1, 10**6)
attempts = st.integers(1, 20)
managers = st.from_regex(f"\\A({MANAGER_ID})\\Z")
logs = st.integers(0, 10**6)
records = st.one_of(
    st.builds(Manager, managers, words, st.integers(1, 10**7), st.integers(1, 999), times),
    st.builds(Began, claims, tasks, attempts, times, logs),
    st.builds(
        Ended,
        claims,
        tasks,
        attempts,
        st.sampled_from(["done", "failed", "retry", "interrupted"]),
        st.integers(0, 255),
        times,
        times,
        st.lists(st.booleans(), max_size=5).map(tuple),
        logs,
        words,
        st.none() | st.integers(0, 10**9).map(lambda hundredths: hundredths / 100),
        st.none() | st.integers(0, 10**9).map(lambda kib: kib / 1024),
        st.sampled_from([0, 1, 12]),
        st.none() | st.builds(Piece, st.integers(0, 10**17), st.integers(1, 10**17), st.integers(0, 2**32 - 1)),
    ),
    st.builds(
        Matched,
        claims,
        tasks,
        attempts,
        st.integers(1, 99),
        st.integers(0, 9),
        st.lists(
            st.binary(min_size=1, max_size=9)
            .map(lambda data: data.translate(None, b"/\0").strip(b"."))
            .filter(bool)
            .map(os.fsdecode)
            .map(Name),
            min_size=1,
            max_size=4,
        ).map(tuple),
    ),
    st.builds(Suspect, claims, tasks, attempts),
    st.builds(Left, words, times),
)


def _escaped(name: str) -> str:
    """Escape a name as templates/manager/outputs.sh does: nothing but what would end a field."""
    for char, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        name = name.replace(char, escaped)
    return name


def written(record: Record) -> bytes:
    """Write a record as templates/manager/records.sh does."""
    fields: list[str]
    if isinstance(record, Manager):
        fields = ["manager", record.id, record.host, str(record.pid), str(record.slots), f"{record.time_s:.6f}", "5.2"]
    elif isinstance(record, Began):
        fields = [
            "began",
            record.claim,
            str(record.task),
            str(record.attempt),
            f"{record.start_s:.6f}",
            str(record.log),
        ]
    elif isinstance(record, Ended):
        numbers = [str(record.exit_code), f"{record.start_s:.6f}", f"{record.end_s:.6f}"]
        numbers.append(write_found(record.found) + (f":{record.parts}" if record.parts else ""))
        fields = ["ended", record.claim, str(record.task), str(record.attempt), record.state, *numbers]
        cpu = "" if record.cpu_s is None else round(record.cpu_s * 100)
        peak = "" if record.peak_mb is None else round(record.peak_mb * 1024)
        packed = f"@{write_piece(record.piece)}" if record.piece else ""
        fields += [f"{record.log}{packed}", f"{cpu}:{peak}", record.reason]
    elif isinstance(record, Matched):
        fields = ["matched", record.claim, str(record.task), str(record.attempt), str(record.part), str(record.output)]
        fields.append("//".join(map(_escaped, record.names)))
    elif isinstance(record, Suspect):
        fields = ["suspect", record.claim, str(record.task), str(record.attempt)]
    else:
        fields = ["left", record.reason, f"{record.time_s:.6f}"]
    return os.fsencode("\t".join(fields) + "\t.\n")


@settings(deadline=None)
@given(
    tasks,
    st.sampled_from(list(TaskState)),
    st.none() | st.integers(0, 255),
    attempts,
    st.none() | times,
    words,
    st.lists(st.booleans(), max_size=5).map(tuple),
    logs,
    claims,
    st.none() | st.builds(Piece, st.integers(0, 10**17), st.integers(1, 10**17), st.integers(0, 2**32 - 1)),
)
def test_what_is_known_is_written_as_a_manager_writes_it(
    number: int,
    state: TaskState,
    exit_code: int | None,
    attempt: int,
    start_s: float | None,
    reason: str,
    found: tuple[bool, ...],
    log: int,
    claim: str,
    piece: Piece | None,
) -> None:
    outcome = Outcome(
        number, TaskId("t"), "true", (), state, exit_code, attempt, "", start_s, 1.5, reason, found, log, claim,
        attempt, "", piece=piece,
    )  # fmt: skip
    line = ended_record(outcome)
    assert line.endswith("\n")
    if outcome.has_ended:
        read = parse_record(line[:-1])
        assert isinstance(read, Ended)
        at_s = start_s or 0.0
        assert [read.start_s, read.end_s] == pytest.approx([at_s, at_s + 1.5], abs=1e-5)
        what = (claim, number, attempt, state.value, exit_code or 0, read.start_s, read.end_s, found, log)
        assert read == Ended(*what, printable(reason, ""), piece=piece)


@given(st.lists(records, max_size=6), st.data())
def test_a_stream_cut_at_any_byte_gives_exactly_the_whole_records(stream: list[Record], data: st.DataObject) -> None:
    lines = [written(record) for record in stream]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    found, read = parse_records(whole[:cut])
    assert found == stream[: len(found)]
    assert read == sum(map(len, lines[: len(found)]))
    assert cut - read < len(lines[len(found)]) if len(found) < len(lines) else read == cut
    rest, read_later = parse_records(whole[read:])  # the next poll goes on from there
    assert found + rest == stream
    assert read + read_later == len(whole)


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_garbage_lines_between_records_are_passed_over(stream: list[Record], data: st.DataObject) -> None:
    lines = []
    for record in stream:
        # a line that does not end in a tab and a dot is no record, whatever it holds
        garbage = data.draw(st.binary(max_size=30)).replace(b"\n", b"\t").removesuffix(b".")
        lines += [garbage + b"\n", written(record)]
    whole = b"".join(lines)
    assert parse_records(whole) == (stream, len(whole))


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_a_torn_line_alone_on_its_line_is_passed_over(stream: list[Record], data: st.DataObject) -> None:
    lines = []
    for record in stream:
        torn = written(data.draw(records))
        lines += [torn[: data.draw(st.integers(0, len(torn) - 2))] + b"\n", written(record)]
    assert parse_records(b"".join(lines))[0] == stream


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(records, st.booleans(), st.integers(0, 10**6)), max_size=8))
def test_torn_lines_that_run_into_the_next_never_make_a_wrong_record(
    stream: list[tuple[Record, bool, int]],
) -> None:
    """A full disk may tear a record anywhere, its newline included; what comes next then stands on the same line."""
    whole, torn_before, expected = b"", False, []
    for record, is_torn, at in stream:
        line = written(record)
        if is_torn:
            whole += line[: at % (len(line) - 1)]  # at least its dot and newline are lost
            torn_before = torn_before or not whole.endswith(b"\n")
        else:
            if whole.endswith(b"\n") or not whole:
                expected.append(record)
            whole += line
    found, read = parse_records(whole)
    assert found == expected
    assert whole[read:].count(b"\n") == 0


@pytest.mark.parametrize(
    "line",
    [
        "",
        ".",
        "\t.",
        "ended",
        "ended\t.",
        "began\t000001.1.c0ffee12\t5\t1\t12.5\t1",
        "began\t000001.1.c0ffee12\t5\t1\t12.5\t1\t",
        "began\t000001.1.c0ffee12\t5\t1\t12.5\t1\t. ",
        "began\t000001.1.c0ffee12\t5\t1\t12.5\t1\t.\t.",
        "began\t000001.1.c0ffee12\tfive\t1\t12.5\t1\t.",
        "began\t000001\t5\t1\t12.5\t1\t.",
        "began\t000001.1\t5\t1\t12.5\t1\t.",  # as managers of an older version wrote it
        "began\t000001.1.c0ffee1\t5\t1\t12.5\t1\t.",
        "began\t000001.1.C0FFEE12\t5\t1\t12.5\t1\t.",
        "began\t../../x.1\t5\t1\t12.5\t1\t.",
        "Began\t000001.1.c0ffee12\t5\t1\t12.5\t1\t.",
        "\0\0began\t000001.1.c0ffee12\t5\t1\t12.5\t1\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\t0\t\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\t0\t1\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\t0\t1.5:\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\t0\t-1:2\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\t0\t:1234567890123\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\t0\t:\t\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\twell\t0\t1.0\t2.0\t1\t0\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1x\t0\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t0\t1.0\t2.0\t1\tmany\t\t.",
        "ended\t000001.1.c0ffee12\t5\t1\tdone\t\t1.0\t2.0\t1\t0\t\t.",
        "manager\t1-0-c0ffee12\tnode\tpid\t2\t1.0\t5.2\t.",
        "left\tfinished\tnow\t.",
    ],
)
def test_what_is_no_record(line: str) -> None:
    assert parse_record(line) is None


def test_records_as_the_manager_writes_them(tmp_path: Path) -> None:
    cache = tmp_path / "1-0.tsv"
    script = f"""
    CACHE=$1 HELD=; . {LIBRARY}
    record manager 1-0-c0ffee12 'a node' 12 2 1700000000.000001 '5.2.15(1)-release'
    record began 000001.1.c0ffee12 7 1 1700000000.500000 3
    printf -v HELD '%s\\t' ended 000001.1.c0ffee12 7 1 failed 137 1700000000,500000 1700000012,345678 10 3 'signal 9'
    HELD+=$'.\\n'
    write_held
    record ended 000001.1.c0ffee12 8 1 done 0 1700000000.5 1700000000.6 '' 0 ''
    record ended 000001.1.c0ffee12 9 1 done 0 1700000000.5 1700000000.6 '' 0 150:2048 ''
    record ended 000001.1.c0ffee12 9 1 done 0 1700000000.5 1700000000.6 '' 0 : ''
    record left finished 1700000001.0
    """
    subprocess.run(["bash", "-c", script, "bash", str(cache)], check=True, timeout=30)
    assert parse_records(cache.read_bytes())[0] == [
        Manager("1-0-c0ffee12", "a node", 12, 2, 1700000000.000001),
        Began("000001.1.c0ffee12", 7, 1, 1700000000.5, 3),
        Ended("000001.1.c0ffee12", 7, 1, "failed", 137, 1700000000.5, 1700000012.345678, (True, False), 3, "signal 9"),
        Ended("000001.1.c0ffee12", 8, 1, "done", 0, 1700000000.5, 1700000000.6, (), 0, ""),
        Ended("000001.1.c0ffee12", 9, 1, "done", 0, 1700000000.5, 1700000000.6, (), 0, "", 1.5, 2.0),
        Ended("000001.1.c0ffee12", 9, 1, "done", 0, 1700000000.5, 1700000000.6, (), 0, ""),
        Left("finished", 1700000001.0),
    ]


def test_what_reasons_of_tasks_mean() -> None:
    for text, reason in [
        ("exit 141", TaskReason.EXIT), ("exit 7", TaskReason.EXIT),
        ("signal 9", TaskReason.SIGNAL), ("timeout after 1 s", TaskReason.TIMEOUT),
        ("missing output", TaskReason.MISSING_OUTPUT), ("interrupted", TaskReason.INTERRUPTED), ("", TaskReason.OTHER),
        ("the sandbox could not be made", TaskReason.NO_SANDBOX), ("exited", TaskReason.OTHER),
        ("lost with its manager", TaskReason.LOST), ("running", TaskReason.OTHER),
    ]:  # fmt: skip
        assert read_task_reason(text) is reason, text


def test_what_reasons_of_managers_mean() -> None:
    for text, reason in [
        ("breaker", LeaveReason.BREAKER), ("signal USR1", LeaveReason.SIGNAL), ("finished", LeaveReason.FINISHED),
        ("stopped", LeaveReason.STOPPED), ("breakers", LeaveReason.OTHER), ("", LeaveReason.OTHER),
        ("the plan cannot be read", LeaveReason.OTHER),
    ]:  # fmt: skip
        assert read_leave_reason(text) is reason, text


def test_each_reason_that_we_judge_by_is_one_that_managers_give() -> None:
    scripts = "".join((LIBRARY.parent / name).read_text() for name in ("task.sh", "history.sh", "final.sh", "usage.sh"))
    texts = re.findall(r"REASON=(\w+|\"[^\"]*\"|'[^']+')|(\"(?:lost with|not run)[^\"]*\")", scripts)
    given_to_tasks = {read_task_reason("".join(pair).strip("\"'")) for pair in texts}
    assert given_to_tasks == set(TaskReason) - {TaskReason.OTHER}
    scripts = "".join(
        (LIBRARY.parent / f"{name}.sh").read_text() for name in ("slot", "main", "health", "turn", "setup", "final")
    )
    constants = "NO_SPACE|SETUP_FAILED|NOT_GATHERED"
    given = rf"\bleave (\w+|\"[^\"]*\")|\breason=(\w+)|:-(finished)|readonly (?:{constants})=(\"[^\"]*\")"
    texts = re.findall(given, scripts)
    given_by_managers = {read_leave_reason("".join(pair).strip('"')) for pair in texts}
    assert given_by_managers == set(LeaveReason)


@given(st.text("01", max_size=9))
def test_which_outputs_were_there(text: str) -> None:
    found = read_found(text)
    assert found == tuple({"1": True, "0": False}[letter] for letter in text)
    assert write_found(found) == text


# ---------------------------------------------------------------------------------------------------------------------
# Fields

any_text = st.text(st.characters(codec=None))  # surrogates included
telling_text = st.one_of(any_text, st.text("\\tn\t\n\r. 0c"))


@settings(deadline=None)
@given(telling_text)
def test_unescape_undoes_escape(text: str) -> None:
    escaped = escape(text)
    assert "\t" not in escaped
    assert "\n" not in escaped
    assert "\r" not in escaped  # it ends a line too, for many who read tables
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in escaped), "what a terminal obeys"
    assert unescape(escaped) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b]52;c;cm0=\a", r"\x1b]52;c;cm0=\x07"),
        ("\0", r"\x00"),
        ("\x9b31m", r"\xc2\x9b31m"),  # C1, as UTF-8
        ("\udc9b31m", r"\x9b31m"),  # and as the single byte that some terminals know
        ("safe\u202etxt.exe", r"safe\xe2\x80\xaetxt.exe"),
        ("a\u2066b\u2069\u200b\u2028", r"a\xe2\x81\xa6b\xe2\x81\xa9\xe2\x80\x8b\xe2\x80\xa8"),
        (r"\x1b", r"\\x1b"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert unescape(escaped) == text


def test_no_character_that_a_terminal_obeys_is_forgotten() -> None:
    obeyed = [char for char in map(chr, range(0x110000)) if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}]
    newer = {chr(code) for code in range(0x13439, 0x13456)}  # more of hieroglyphs, in Unicode 15 and later
    assert [char for char in obeyed if escape(char) == char and char not in newer] == []


@settings(deadline=None)
@given(st.lists(telling_text, max_size=5).filter(lambda fields: fields != [""]))
def test_split_undoes_join(fields: list[str]) -> None:
    line = join_fields(fields)
    assert "\n" not in line
    assert split_fields(line) == fields


def test_no_fields_and_one_empty_field_are_written_alike() -> None:
    assert join_fields([]) == join_fields([""]) == ""
    assert split_fields("") == []


@pytest.mark.parametrize("plain", ["", "a b", "'", '"', "$(x)", "<id>", "\udcff", "é", "\xa0", "漢字"])
def test_what_needs_no_escape_stays_as_it_is(plain: str) -> None:
    assert escape(plain) == plain


#: What can be in a command or a file name: any bytes but NUL.
hostile_bytes = st.one_of(
    st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"")),
    st.text("\\tnc0x41u\t\n\r%b", max_size=20).map(str.encode),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(hostile_bytes, min_size=1, max_size=200))
def test_bash_reads_fields_as_we_do(values: list[bytes]) -> None:
    script = f"""
    . {LIBRARY}
    for value in "$@"; do
      unescape value
      printf '%s\\0' "$value"
    done
    """
    escaped = [os.fsencode(escape(os.fsdecode(value))) for value in values]
    shown = subprocess.run(["bash", "-c", script, "bash", *escaped], check=True, timeout=30, stdout=subprocess.PIPE)
    assert shown.stdout.split(b"\0")[:-1] == values
