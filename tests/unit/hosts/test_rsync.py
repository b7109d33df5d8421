"""What is said to rsync, and what its answers mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from locusts_fab.hosts.rsync import (
    explain,
    parse_moved,
    parse_progress,
    parse_skipped,
    pull_arguments,
    push_arguments,
    shell_word,
    worth_telling,
)
from tests.support.forged import texts


def test_a_pull_asks_for_plain_files_only() -> None:
    arguments = pull_arguments("/remote", Path("/local"), "shell", progress=True)
    options = arguments[1 : arguments.index("-e")]
    assert {"-s", "-rt", "--from0", "--files-from=-", "--no-inc-recursive", "--timeout=60"} <= {*options}
    for option in options:
        letters = option.lstrip("-") if not option.startswith("--") else ""
        assert not {*letters} & {*"alKLDpogRk"}, option
        assert not option.startswith(("--delete", "--trust-sender", "--links", "--copy", "--keep"))


@pytest.mark.parametrize("path", ["/a b", "-rf", ":x", "a:b", "~", "$(x)", "new\nline"])
def test_no_path_is_taken_for_an_option_or_a_host(path: str) -> None:
    pushed = push_arguments(Path(path), path, "shell", delete=[], progress=False)
    source, destination = pushed[pushed.index("--") + 1 :]
    assert source.startswith("/")
    assert destination.startswith(("host:/", "host:./"))
    pulled = pull_arguments(path, Path(path), "shell", progress=False)
    source, destination = pulled[pulled.index("--") + 1 :]
    assert source.startswith(("host:/", "host:./"))
    assert destination.startswith("/")


def test_delete_only_when_asked() -> None:
    assert "--delete" not in push_arguments(Path("/a"), "/b", "shell", delete=[], progress=False)
    assert "--delete" in push_arguments(Path("/a"), "/b", "shell", delete=["R **"], progress=False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("      1238099 100%  146.38kB/s    0:00:08 (xfr#5, to-chk=169/396)", (5, 1238099)),
        ("      1238099  12%  146.38kB/s    0:00:08 (xfr#7, ir-chk=169/396)", (7, 1238099)),
        ("        32768   3%    0.00kB/s    0:00:00  ", (None, 32768)),
        ("              0 100%    0.00kB/s    0:00:00 (xfr#0, to-chk=0/6)", (0, 0)),
        ("Total transferred file size: 10 bytes", None),
        ("", None),
    ],
)
def test_progress_lines(line: str, expected: tuple[int | None, int] | None) -> None:
    assert parse_progress(line) == expected


def test_statistics_and_skipped_things() -> None:
    assert parse_moved("Total transferred file size: 1234567 bytes") == 1234567
    assert parse_moved("Total transferred file size: 1,234,567 bytes") == 1234567
    assert parse_moved("Total file size: 5 bytes") is None
    assert parse_skipped('skipping non-regular file "a b"') == "a b"
    assert parse_skipped("sent 5 bytes") is None


@pytest.mark.parametrize("status", [10, 12, 20, 30, 255])
def test_hiccups_of_the_link_are_worth_another_try(status: int) -> None:
    assert explain(status, None, "", "the host").retry


@pytest.mark.parametrize("status", [1, 2, 3, 4, 11, 14, 23, 24, 126, 127, -9, 99])
def test_other_failures_are_not(status: int) -> None:
    failure = explain(status, None, "", "the host")
    assert not failure.retry
    assert failure.cause


@pytest.mark.parametrize("reason", ["No space left on device (28)", "Disk quota exceeded (122)"])
@pytest.mark.parametrize("status", [11, 12, 23])
def test_a_full_disk_is_named_whatever_the_status(reason: str, status: int) -> None:
    failure = explain(status, None, f'rsync: [receiver] write failed on "x": {reason}', "cluster")
    assert "full on cluster" in failure.cause
    assert failure.fatal
    assert not failure.retry


@pytest.mark.parametrize("status", [10, 12, 255])
def test_the_half_on_the_host_knows_better(status: int) -> None:
    assert "not installed" in explain(status, 127, "", "the host").cause
    assert "link" in explain(status, None, "", "the host").cause


def test_words_for_rsync_that_hold_quotes() -> None:
    assert shell_word("/a b/it's") == "'/a b/it''s'"


def test_the_lines_that_tell_something() -> None:
    said = [
        "bash: line 1: exec: rsync: not found",
        "rsync: [receiver] mkstemp failed: Permission denied (13)",
        "rsync: [receiver] mkstemp failed: Permission denied (13)",
        "rsync: [sender] write error: Broken pipe (32)",
        "rsync: connection unexpectedly closed (0 bytes received so far) [sender]",
        "rsync error: error in rsync protocol data stream (code 12) at io.c(285) [sender=3.5.0]",
    ]
    assert worth_telling(said) == said[:2]


@pytest.mark.parametrize("text", ["²", "٣", "9" * 4301, "-1", "1_0", ",,", ""])
def test_counts_of_rsync_that_are_none(text: str) -> None:
    assert parse_progress(f"  {text}  50%    1.00MB/s    0:00:00 (xfr#1, to-chk=1/3)") is None
    assert parse_progress(f"  1  {text}%    1.00MB/s    0:00:00 (xfr#1, to-chk=1/3)") is None
    assert parse_moved(f"Total transferred file size: {text} bytes") is None


@given(texts)
def test_any_text_as_a_count_of_rsync(text: str) -> None:
    parse_progress(f"  {text}  {text}%    1.00MB/s    0:00:00 (xfr#{text}, to-chk=1/3)")
    parse_moved(f"Total transferred file size: {text} bytes")
