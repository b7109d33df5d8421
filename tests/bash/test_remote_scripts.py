"""The scripts of `templates/remote`: their headers are true, each is used, and Python holds none of its own.

What they do is in `test_remote_*.py`; what poll, probe, and the scripts that start and stop managers do is in
`tests/unit`: `state/test_poll.py`, `operations/test_check.py`, `schedulers/test_detached.py` and
`schedulers/slurm/test_launcher.py`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.shell.scripts import RemoteExit, remote_script, templates_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


FOLDER = templates_folder() / "remote"
NAMES = sorted(path.stem for path in FOLDER.glob("*.sh"))


# ---------------------------------------------------------------------------------------------------------------------
# Python and its scripts


def parsed() -> Iterator[ast.Module]:
    """Parse every module of ours."""
    for path in sorted(Path(locusts_fab.__file__).parent.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_every_script_is_used_and_every_name_is_that_of_a_script() -> None:
    calls = [
        node
        for module in parsed()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "remote_script"
    ]
    assert {ast.literal_eval(call.args[0]) for call in calls} == set(NAMES)


#: A script of more lines than this is to have a file.
MOST_LINES = 6
#: What no other language that we write has: a variable in quotes or after `=`, a test, the end of a compound command.
BASH = re.compile(r"[\"=]\$\w|\$\{|\[\[ |^\s*(fi|done|esac)\s*([<>|&;2]|$)|2?>/dev/null", re.MULTILINE)
#: Functions that may hold more all the same, each with the reason.
EXEMPT = {"frame": "what it puts around every script that is sent"}


def long_bash(module: ast.Module) -> list[str]:
    """Find the texts of a module that are bash, and too long to stand there; docstrings are not looked at."""
    found = []
    passed_over: set[int] = set()
    for node in ast.walk(module):  # from the top down, so that what is passed over is so before it comes up
        if isinstance(node, ast.Expr):  # it stands alone: a docstring, or a call
            passed_over.add(id(node.value))
        elif isinstance(node, ast.FunctionDef) and node.name in EXEMPT:
            passed_over.update(map(id, ast.walk(node)))
        if id(node) in passed_over:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(text.strip().splitlines()) > MOST_LINES and BASH.search(text):
            found.append(text)
    return found


def test_python_holds_no_long_scripts() -> None:
    assert [text for module in parsed() for text in long_bash(module)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_script_would_be_seen_in_python(name: str) -> None:
    assert long_bash(ast.parse(f"x = f({remote_script(name)!r})"))
    assert long_bash(ast.parse(f"x = f'{{y}}' {remote_script(name)!r}"))
    assert not long_bash(ast.parse(repr(remote_script(name))))  # it would be a docstring


# ---------------------------------------------------------------------------------------------------------------------
# Headers


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_it_is(name: str) -> None:
    lines = remote_script(name).splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    header = "\n".join(lines[: lines.index("")])
    assert f"#   usage: bash {name}.sh" in header
    assert "#   exits with: " in header


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_named_as_the_header_has_them(name: str) -> None:
    text = remote_script(name)
    usage = re.search(rf"usage: bash {name}\.sh ?(.*)", text)
    assert usage is not None
    said = usage[1].partition("[")[0].split()
    if said and said[-1].endswith("..."):
        said.pop()
    assigned = re.findall(r"(?:^|\s)(?:my_)?([a-z_]+)=\$(?:([1-9])|\{([0-9]+)\})(?=\s|$)", text_of_the_top(text))
    named = {int(digit or digits): variable.upper() for variable, digit, digits in assigned}
    assert named == dict(enumerate(said, 1))
    for word in re.findall(r"[A-Z_]+", usage[1]):
        assert re.search(rf"^#     ([A-Z]+ )*{word} ", text, re.MULTILINE), f"{word} is not explained"


def text_of_the_top(text: str) -> str:
    """Cut out what stands outside of functions."""
    return re.sub(r"^\w+\(\) [({]\n.*?^[)}]$", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_exit_codes_have_the_names_that_python_knows(name: str) -> None:
    text = remote_script(name)
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lists = re.findall(r"^readonly (.*)$", code, re.MULTILINE)
    named = {key: int(value) for key, value in re.findall(r"([A-Z_]+)=([0-9]+)", " ".join(lists))}
    assert named == {key: int(RemoteExit[key]) for key in named}
    assert set(re.findall(r'\bexit "\$([A-Z_]+)"', code)) == set(named)
    exits = text[text.index("#   exits with:") :].partition("\n\n")[0]
    assert {key.name for key in RemoteExit if key.name in exits} == set(named)
    assert re.findall(r"\b(?:exit|return) (?:[2-9]|1[0-9])", code) == [], "codes above 1 have names"


def test_every_exit_code_is_used() -> None:
    texts = "".join(map(remote_script, NAMES))
    assert [code.name for code in RemoteExit if f'exit "${code.name}"' not in texts] == []
    assert len({*RemoteExit}) == len(RemoteExit.__members__)


def test_python_compares_with_names() -> None:
    bare = [
        ast.unparse(node)
        for module in parsed()
        for node in ast.walk(module)
        if isinstance(node, ast.Compare) and ast.unparse(node.left).endswith("exit_status")
        for other in node.comparators
        if isinstance(other, ast.Constant) and other.value != 0
    ]
    assert bare == []
