"""The program `locusts`: how a command line is read, what help and errors look like, completion."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locusts_fab.cli.command import LETTERS
from locusts_fab.cli.help import explain, overview
from locusts_fab.cli.program import main, run
from locusts_fab.cli.registry import COMMANDS
from locusts_fab.state import lock

ROOT = Path(__file__).resolve().parents[3]
CONFIG = '[swarms.one]\ncommand = "echo <id>"\nargs = [["1"]]\n[swarms.other]\ncommand = "echo <id>"\nargs = [["1"]]\n'


def told(*words: str) -> tuple[int, str, str]:
    """Run a command line in this process, and return its exit code, its answer and its last words."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        ending = run(words)
    return ending.code, out.getvalue(), ending.message


# ---------------------------------------------------------------------------------------------------------------------
# Options


@pytest.mark.parametrize("words", list(itertools.permutations(["status", "--json", "-sone", "--config=x.toml"])))
def test_options_stand_before_or_after_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text(CONFIG)
    code, out, _ = told(*words)
    assert code == 0
    assert '"swarm": "one"' in out


@pytest.mark.parametrize(
    "words",
    ["-c x.toml -js other status", "-qjc x.toml --swarm other status", "--swarm=other --json -cx.toml status -q"],
)
def test_letters_may_be_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text(CONFIG)
    code, out, _ = told(*words.split())
    assert code == 0
    assert '"swarm": "other"' in out


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        ("stauts", "locusts: there is no command stauts; did you mean status?", "`locusts --help` lists"),
        ("xyz", "locusts: there is no command xyz", "`locusts --help` lists"),
        ("submit --rdeo", "locusts submit: there is no option --rdeo; did you mean --redo?", "`locusts submit --help`"),
        ("--josn status", "locusts: no command has an option --josn; did you mean --json?", "`locusts --help` lists"),
        # options of Invoke, which meant something else than they said
        ("--dry submit --redo", "locusts: no command has an option --dry; did you mean --dry-run?", "`locusts --help`"),
        ("submit --dry --redo", "locusts submit: there is no option --dry; did you mean", "`locusts submit --help`"),
        ("--prompt-for-sudo-password status", "locusts: no command has an option --prompt-for-sudo-password", "`"),
        ("-x status", "locusts: no command has an option -x", "`locusts --help` lists"),
        ("status -x", "locusts status: there is no option -x", "`locusts status --help`"),
        ("convert", "locusts convert: FILE is missing, such as in: locusts convert", "`locusts convert --help`"),
        ("submit collect", "locusts submit: got unexpected extra argument (collect)", "`locusts submit --help`"),
        ("--config x.toml", "locusts: a command is missing, such as in: locusts status", "`locusts --help` lists"),
        ("--config", "locusts: a command is missing", "`locusts --help` lists"),
        ("status --config", "locusts status: option '--config' requires an argument", "`locusts status --help`"),
        ("--print-completion tcsh", "locusts: invalid value for '--print-completion'", "`locusts --help` lists"),
        ("stat\x1b[2Jus", "locusts: there is no command stat\\x1b[2Jus", "`locusts --help` lists"),
    ],
)
def test_what_cannot_be_understood_is_told_in_a_line(words: str, first: str, second: str) -> None:
    code, out, message = told(*words.split(" "))
    assert code == 2
    assert not out
    lines = message.split("\n")
    assert len(lines) == 2
    assert lines[0].startswith(first)
    assert lines[1].strip().startswith(second)


# ---------------------------------------------------------------------------------------------------------------------
# Help


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a terminal of the usual size."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


@pytest.mark.parametrize("words", [[name, "--help"] for name in COMMANDS] + [["--help"]], ids=" ".join)
def test_help_fits_a_screen(words: list[str]) -> None:
    code, out, _ = told(*words)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) < 24
    assert max(map(len, lines)) < 80
    assert out.isascii()
    assert " ..." not in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_can_be_asked_for_in_every_way(name: str) -> None:
    whole = f"{explain(COMMANDS[name])}\n"
    ways = ([name, "--help"], ["--help", name], [name, "-h"], ["-h", name], ["help", name], [name, "--quiet", "--help"])
    assert {told(*words) for words in ways} == {(0, whole, "")}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_an_example_and_every_option(name: str) -> None:
    text = explain(COMMANDS[name])
    assert f"\nExample: locusts {name}" in text
    for argument in COMMANDS[name].arguments:
        assert argument.is_positional or f"--{argument.option}" in text


def test_the_overview_lists_every_command() -> None:
    assert [name for name in COMMANDS if f" {name} " not in overview()] == []
    assert told("--help") == told("help") == told("-h") == (0, f"{overview()}\n", "")
    assert told() == (2, "", overview())


def test_every_letter_belongs_to_an_option() -> None:
    options = {argument.option for each in COMMANDS.values() for argument in each.arguments} | {"limit", "yes"}
    assert set(LETTERS) - options == set()


def test_the_version_is_printed() -> None:
    code, out, _ = told("--version")
    assert code == 0
    assert out.startswith("locusts ")


# ---------------------------------------------------------------------------------------------------------------------
# Completion


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("locusts sta", ["status"]),
        ("locusts --config x.toml sta", ["status"]),
        ("locusts status --js", ["--json"]),
        ("locusts --swa", ["--swarm"]),
        ("locusts submit -c x.toml --swarm o", ["one", "other"]),
        ("locusts --config x.toml submit --swarm ot", ["other"]),
        ("locusts submit -c none.toml --swarm o", []),
        ("locusts --print-completion z", ["zsh"]),
    ],
)
def test_a_shell_is_told_what_can_come_next(tmp_path: Path, line: str, found: list[str]) -> None:
    (tmp_path / "x.toml").write_text(CONFIG)
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_LOCUSTS_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "locusts_fab"],
        cwd=tmp_path,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert not done.stderr
    assert [each.partition(",")[2] for each in done.stdout.decode().split("\n") if each] == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    code, out, _ = told("--print-completion", shell)
    assert code == 0
    assert f"_LOCUSTS_COMPLETE={shell}_complete" in out


@pytest.mark.parametrize("words", [["--config", "x.toml", "-q", "status"], ["status", "--quiet", "-cx.toml"]])
def test_whoever_waits_for_a_command_reads_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.toml").write_text(CONFIG.partition("[swarms.other]")[0])
    monkeypatch.setattr(sys, "argv", ["locusts", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert lock._this_command() == "locusts status"
