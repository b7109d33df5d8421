"""Mistakes that people make in inputs, tables and command files: each message names the place, the cause, what to do.

The words of a row must all be in the message and its hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.errors import LocustsError
from locusts_fab.operations.scripts import preview
from locusts_fab.plan.tasks import make_plan
from tests.support.configs import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 'command = "echo <arg0>"\nargs_file = "t.csv"\n'
LINES = 'command_file = "c.txt"\n'
FILES = 'command = "cat f_<id>.txt"\nindir = "in"\ninputs = ["f_<id>.txt"{more}]\n'
#: Text of t.csv, and the words.
IN_TABLES = [
    ("", "t.csv: it is empty", "first line must name the columns", "temperature,seed"),
    ("\n\n", "t.csv: it is empty", "first line must name the columns"),
    ("a,b\n", "t.csv: there is no row", "a line of values for each task"),
    ("a,b\n,\n,\n", "t.csv: there is no row", "a line of values for each task"),
    ("a,b\n1,2\n3\n", "t.csv: line 3: 1 field where the header has 2", "needs quotes around it"),
    ("a,b\n1,2,3\n4,5,6\n", "t.csv: line 2: 3 fields where the header has 2, and so is 1 more", "needs quotes"),
    ("a,a\n1,2\n", "t.csv: two columns are called 'a'", "rename one of them"),
    ("a,\n1,2\n", "t.csv: '' in the header is no name", "the first line names the columns"),
    ("1,2\n3,4\n", "t.csv: '1' in the header is no name", "the first line names the columns"),
    ("a b,a_b\n1,2\n", "t.csv: two columns are called 'a_b'", "rename one of them"),
    ("arg0,b\n1,2\n", "t.csv: a column cannot be called 'arg0', for <arg0> means something else", "rename it"),
    ("shared,b\n1,2\n", "t.csv: a column cannot be called 'shared'", "rename it"),
    ('a,b\n"1,2\n3,4\n', "t.csv: line 3: unexpected end of data", "each quote that begins a field needs another"),
    ('a,b\n"1"x,2\n', "t.csv: line 2: ',' expected after '\"'", "each quote that begins a field needs another"),
    ("a,b\n1,\x002\n", "t.csv holds a NUL byte", "see that the config names the right file"),
    ("\ufeffa\n1\n".encode("utf-16-le"), "t.csv is in UTF-16", "save it as text in UTF-8"),
    (None, "t.csv cannot be read: No such file or directory", "fix its path in the config"),
]
#: Text of c.txt, and the words.
IN_COMMAND_FILES = [
    ("# nothing\n\n", "c.txt: there is no command in it", "write one command a line"),
    (
        "echo ok\necho 'open\n",
        "c.txt: line 2: what begins here does not end",
        "echo 'open",
        "close quotes and brackets",
    ),
    ("echo $(date\n", "c.txt: line 1: what begins here does not end", "close quotes and brackets"),
    ("if true; then\n", "c.txt: line 1: what begins here does not end", "close quotes and brackets"),
    ("cat <<E\nhi\n", "c.txt: line 1: what begins here does not end", "(wanted `E')", "close quotes and brackets"),
    ("echo )\n", "c.txt: line 1", "echo )"),
    ("echo \x00 1\n", "c.txt holds a NUL byte", "see that the config names the right file"),
    (None, "c.txt cannot be read: No such file or directory", "fix its path in the config"),
]
#: What lies in the folder of the config, the lines of [swarms.s], and the words.
IN_FILES = [
    ([], FILES.format(more=""), "indir: ", "in is not there", "fix indir in the config"),
    (["in"], FILES.format(more=""), "in is no folder", "fix indir in the config"),
    (["in/"], FILES.format(more=""), "no file in ", "matches 'f_<id>.txt'; the folder is empty", "or fix indir"),
    (["in/F_1.txt"], FILES.format(more=""), "what lies there: 'F_1.txt'", "and the rest as it is there"),
    (["in/f_1.TXT"], FILES.format(more=""), "what lies there: 'f_1.TXT'", "and the rest as it is there"),
    (
        ["in/f_1.txt", "in/f_2.txt", "in/g_1.txt"],
        FILES.format(more=', "g_<id>.txt"'),
        "1 of 2 ids lack an input",
        "'2' lacks g_<id>.txt",
        'missing_inputs = "skip"',
    ),
    (["in/f_1.txt"], FILES.format(more=', "all.txt"'), "inputs: all.txt: there is no such file in ", "put it there"),
    (["in/logs"], FILES.replace("f_<id>.txt", "<id>").format(more=""), "logs: that name is taken", "rename"),
    (["in/tasks.tsv"], FILES.replace("f_<id>.txt", "<id>").format(more=""), "that name is taken", "rename"),
    (["in/f_1.txt"], FILES.format(more="") + 'shared = { db = "db" }\n', "shared.db: there is no ", "fix its path"),
    (
        ["in/f_1.txt"],
        FILES.format(more="") + 'outputs = ["f_<id>.txt"]\noutdir = "in"\nlayout = "flat"\n',
        "outdir: the output f_1.txt of task 1 would land on the input f_1.txt of task 1",
        "choose another outdir, or other names",
    ),
    (
        ["in/f_1.txt", "in/f_2.txt"],
        FILES.format(more="") + 'outputs = ["o.txt"]\nlayout = "flat"\n',
        'layout = "flat": o.txt of task 2 would collide with task 1',
        "put <id> into the name",
    ),
    (
        ["in/f_000001.txt"],
        FILES.format(more="") + "sweep = { a = [1, 2] }\n",
        "<id> stands for the names of files, and these are called by the numbers of rows (000001)",
        "for a task a row, put the names of its files into the row",
        "such as <file>",
    ),
    (
        ["in/f_1.txt"],
        FILES.format(more=', "g_<temprature>.txt"') + "sweep = { temperature = [1, 2] }\n",
        "inputs: no row has a value for <temprature>",
        "did you mean <temperature>?",
    ),
    (
        ["in/f_1.txt"],
        FILES.format(more=', "g_<s>_<t>.txt"') + "sweep = { t = [1, 2] }\n",
        "inputs: <s> stands only in entries that have values of rows, too",
        "such as <s>.txt",
    ),
    ([], FILES.format(more="") + "sweep = { t = [1] }\n", "indir: ", "in is not there"),
    (["in/f_1.txt"], FILES.replace("cat f_<id>", "cat f_<ID>").format(more=""), "<ID> is no handle", "<id>?"),
    (["in/f_1.txt"], FILES.replace("cat f_<id>", "cat f_{{id}}").format(more=""), "{id} is no handle", "<id>?"),
]


def problem(folder: Path, lines: str) -> str:
    """Return the message and hint with which a plan is refused."""
    (folder / "locusts.toml").write_text(f"{LOCAL}\n[swarms.s]\n{lines}", encoding="utf-8")
    with pytest.raises(LocustsError) as caught:
        preview(locusts_fab.load(folder / "locusts.toml"))
    return f"{caught.value.message}\n{caught.value.hint}"


@pytest.mark.parametrize(
    ("name", "lines", "text", "words"),
    [
        *(("t.csv", ROWS, text, words) for text, *words in IN_TABLES),
        *(("c.txt", LINES, text, words) for text, *words in IN_COMMAND_FILES),
    ],
)
def test_a_mistake_in_a_file_of_tasks_is_told_with_its_place_its_cause_and_what_to_do(
    tmp_path: Path, name: str, lines: str, text: str | bytes | None, words: list[str]
) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    told = problem(tmp_path, lines)
    assert [each for each in words if each not in told] == []
    assert not told.endswith("\nNone")


@pytest.mark.parametrize(("files", "lines", "words"), [(files, lines, words) for files, lines, *words in IN_FILES])
def test_a_mistake_in_inputs_is_told_with_its_place_its_cause_and_what_to_do(
    tmp_path: Path, files: list[str], lines: str, words: list[str]
) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.touch()
    told = problem(tmp_path, lines)
    assert [each for each in words if each not in told] == []
    assert not told.endswith("\nNone")


@pytest.mark.parametrize(
    ("command", "warned"),
    [
        ("cat f_$arg0.txt", ["$arg0"]),
        ("cat ${arg0}.txt $id", ["$arg0", "$id"]),
        ("cat f_<arg0>.txt $id", []),
        ("for id in 1 2; do echo $id; done", []),
        ("id=3; echo $id", []),
        ("read -r id < x; echo $id", []),
        (r"echo \$id $HOME $identity", []),
    ],
)
def test_a_variable_with_the_name_of_a_handle_is_told(tmp_path: Path, command: str, warned: list[str]) -> None:
    lines = f"command = '''{command}'''\nargs = [['1']]\n"
    (tmp_path / "locusts.toml").write_text(f"{LOCAL}\n[swarms.s]\n{lines}", encoding="utf-8")
    told = make_plan(locusts_fab.load(tmp_path / "locusts.toml"), "/e").warnings
    assert [line.split()[0] for line in told] == warned
