"""Which line tells why a task failed, and that a manager and we take the same lines from a log."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.manager.last_words import MARK, MOST_LETTERS, MOST_LINES, last_lines, read_reason, telling_line
from tests.support.managers import BASH

TEMPLATES = Path(__file__).resolve().parents[3] / "templates/manager"
#: `split` is with the records.
LIBRARY = "\n".join((TEMPLATES / name).read_text() for name in ("records.sh", "words.sh"))
TRACEBACK = """Traceback (most recent call last):
  File "/a/run.py", line 3, in <module>
    main()
    ^^^^^^
"""
BAR = " 45%|####5     | 45/100 [00:01<00:02, 26.1it/s]"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", ""),
        ("\n \n", ""),
        ("one\ntwo\n\n", "two"),
        ("  two  \n", "two"),
        ("oh no\n--------\n", "oh no"),
        # a program's exception
        (f"{TRACEBACK}KeyError: 'x'\n", "KeyError: 'x'"),
        (f"{TRACEBACK}my.Trouble: no\n", "my.Trouble: no"),
        (f"{TRACEBACK}ValueError: this\nand that\n", "ValueError: this"),
        (f"{TRACEBACK}KeyError: 1\n\nDuring handling of the above exception:\n\n{TRACEBACK}OSError: 2\n", "OSError: 2"),
        (f"{TRACEBACK}KeyError: 'x'\nstep 2 failed\n", "KeyError: 'x'"),
        ("terminate called after an instance of X\n  what():  bad\n", "terminate called after an instance of X"),
        # bash
        ("bash: line 3: foo: command not found\n", "bash: line 3: foo: command not found"),
        (
            "bash: -c: line 1: syntax error near unexpected token `>'\nbash: -c: line 1: `echo <temp> > o.txt'\n",
            "bash: -c: line 1: syntax error near unexpected token `>'",
        ),
        ("bash: line 1: temp: No such file or directory\n", "bash: line 1: temp: No such file or directory"),
        # other languages
        ("Error in f(x) : no data\nCalls: main -> f\nExecution halted\n", "Error in f(x) : no data"),
        ("thread 'main' panicked: no\nnote: run with `RUST_BACKTRACE=1`\n", "thread 'main' panicked: no"),
        (
            'Exception in thread "main" X: bad\n\tat a.b(C.java:1)\n\tat a.c(C.java:2)\n',
            'Exception in thread "main" X: bad',
        ),
        ("ERROR: no space left\nremoving temporary files\n", "ERROR: no space left"),
        # bars
        (f"Error: first\r{BAR}\r{BAR}", ""),
        (f"Error: no data\n{BAR}\r{BAR}\r{BAR}", "Error: no data"),
        (f"loading\n{BAR}\r{BAR}\n", "loading"),
        (f"{BAR}\r{BAR}\nError: bad row\n", "Error: bad row"),
        (f"{BAR}\r{BAR}\rError: bad row\n", "Error: bad row"),
        (f"{BAR}\r{BAR}Error: bad row\n{BAR}", "Error: bad row"),  # the bar was not ended
        (f"{BAR}\r{BAR}no rows\n", "no rows"),
        (f"{BAR}\r{BAR}{TRACEBACK}KeyError: 'x'\n", "KeyError: 'x'"),
        ("\r 10%\r 20%ValueError: bad\n\r 40%", "ValueError: bad"),
        ("[==>   ] 40%\r[===>  ] 45%cannot go on\n", "cannot go on"),
        ("loading\n[=====>    ] 45%\n", "loading"),
        ("loading\nstep 1\rstep 2\r", "loading"),
        ("step 1\rstep 2\r", "step 2"),
        ("Windows\r\nsays no\r\n", "says no"),
        ("gone\r    \r\n", ""),
        # what a terminal would obey, and what is no text
        ("\x1b[31mError: red\x1b[0m\n", "Error: red"),
        ("Error: \x1b]0;title\x07bell\n", "Error: \x1b]0;title\x07bell"),  # escaped wherever it is shown
        ("Error: \udcff\n", "Error: ?"),
        ("a\tb\n", "a b"),
        ("x" * 1000, "x" * MOST_LETTERS + "..."),
    ],
)
def test_the_line_that_tells(log: str, line: str) -> None:
    assert telling_line(last_lines(os.fsencode(log))) == line


@pytest.mark.parametrize(
    ("reason", "lines", "shown"),
    [
        ("exit 3", [], "exit 3"),
        ("exit 3", ["step 5"], "exit 3: step 5"),
        ("signal 9", ["step 5"], "signal 9"),
        ("signal 6", ["free(): invalid pointer"], "signal 6: free(): invalid pointer"),
        ("missing output", ["wrote 5 rows"], "missing output"),
        ("missing output", ["Error: no rows"], "missing output (Error: no rows)"),
        ("timeout after 600 s", ["Error: again"], "timeout after 600 s"),
        ("results could not be copied from scratch", ["Error: x"], "results could not be copied from scratch"),
    ],
)
def test_a_reason_has_the_line(reason: str, lines: list[str], shown: str) -> None:
    assert read_reason("".join([reason, *(MARK + line for line in lines)])) == shown


@given(st.text(st.characters(codec=None, exclude_characters="\n"), max_size=600))
def test_whatever_a_record_holds_the_ledger_can_hold_the_reason(text: str) -> None:
    reason = read_reason(f"exit 3{MARK}{text}")
    assert reason.encode()
    assert len(reason) < 4000
    assert "\n" not in reason
    assert "\t" not in reason


pieces = st.sampled_from(
    ["a", "Error: x", "\r", "\r\n", "\n", "\n\n", "  ", "\t", MARK, "\\n", "&", "*", "$x", "`", "'", "\0", "é", "你"]
).map(str.encode)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(pieces, max_size=40).map(b"".join), min_size=1, max_size=8), st.sampled_from([b"", b"z\n" * 3000])
)
def test_a_manager_takes_the_lines_that_we_take(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], long: bytes
) -> None:
    """Of a log that is longer than what it reads, too."""
    log = tmp_path_factory.mktemp("words") / "log"
    data = long + b"\n".join(parts)
    log.write_bytes(data)
    script = f'{LIBRARY}\nREASON=; log_file=$1; add_last_words 2>/dev/null; printf %s "$REASON"'
    said = subprocess.run(
        [BASH, "-c", script, "bash", str(log)],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    tail = data[-4096:].partition(b"\n")[2] if len(data) > 4096 else data
    assert said == "".join(MARK + line for line in last_lines(tail))
    assert len(last_lines(tail)) <= MOST_LINES
