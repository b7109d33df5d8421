"""What the commands share: their options, what a body is handed, and what becomes of an error."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from locusts_fab.cli.collection import CommandTask, make_collection
from locusts_fab.cli.command import LETTERS, Command, Ending, Invocation, command, plain_command
from locusts_fab.cli.registry import COMMANDS
from locusts_fab.cli.streams import ReaderGoneError
from locusts_fab.errors import ConfigError, ExitStatus, HostError, LocustsError, SchedulerError

if TYPE_CHECKING:
    from pathlib import Path

#: The options of every command.
COMMON = ["swarm -s", "target -t", "config -c", "quiet -q"]


def flags(command: Command) -> list[str]:
    """Return the options of a command as Invoke has them: `swarm -s`, or `swarm` if it has no letter."""
    return [" -".join(option.names) for option in CommandTask(command).get_arguments()]


def ending(command: Command, *args: Any, **kwargs: Any) -> tuple[str, int]:
    """Call a command as an Invoke task, and return its last words and its exit code."""
    with pytest.raises(Exit) as caught:
        CommandTask(command)(Context(), *args, **kwargs)
    return str(caught.value.message or ""), caught.value.code


def failing(error: BaseException) -> Command:
    """Make a command that only raises an error."""

    @command()
    def fail(_invocation: Invocation) -> None:
        raise error

    return fail


# ---------------------------------------------------------------------------------------------------------------------
# Options


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("run", ["only", "limit -n", "force -f", "overwrite"]),
        (
            "submit",
            ["dry-run -d", "scripts", "files", "redo -r", "redo-changed", "only", "limit -n", "force -f", "overwrite"],
        ),
        ("status", ["json -j"]),
        ("watch", []),
        ("collect", ["wait -w", "apply-removals -a", "overwrite", "json -j"]),
        ("retry", ["only", "limit -n", "force -f"]),
        ("cancel", []),
        ("check", ["json -j"]),
        ("clean", ["force -f"]),
        ("attach", []),
    ],
)
def test_the_common_options_come_first(name: str, own: list[str]) -> None:
    assert flags(COMMANDS[name]) == [*COMMON, *own]


def test_an_argument_that_is_needed_comes_before_the_common_options() -> None:
    assert flags(COMMANDS["logs"])[:5] == ["task", *COMMON]


def test_a_plain_command_has_its_own_options_only() -> None:
    names = ["par", "quiet -q", "code", "indir", "outdir", "cmd", "spcins", "shdins", "outs", "output", "force -f"]
    assert flags(COMMANDS["convert"]) == names


def test_an_option_is_the_same_wherever_it_stands() -> None:
    found: dict[str, set[type]] = {}
    for argument in (argument for each in COMMANDS.values() for argument in each.arguments):
        if not argument.is_positional:
            found.setdefault(argument.option, set()).add(argument.kind)
    assert [option for option, kinds in found.items() if len(kinds) > 1] == []


def test_a_letter_means_one_thing() -> None:
    assert len(set(LETTERS.values())) == len(LETTERS)
    assert not set(LETTERS.values()) & {"h", "V"}


def test_every_option_has_its_line_of_help() -> None:
    for each in COMMANDS.values():
        assert [argument.name for argument in each.arguments if not argument.help] == []


def test_a_line_of_help_belongs_to_an_argument() -> None:
    with pytest.raises(ValueError, match="nothing"):

        @command(nothing="No such argument.")
        def look(_invocation: Invocation) -> None:
            """Look."""


def test_invoke_sees_the_same_commands() -> None:
    assert make_collection().task_names.keys() == COMMANDS.keys()


def test_a_command_keeps_the_name_and_the_text_of_its_function() -> None:
    @command(deep="How deep.")
    def dig(_invocation: Invocation, *, deep: bool = False) -> None:
        """Dig a hole."""

    task = CommandTask(dig)
    assert task.name == "dig"
    assert inspect.getdoc(task) == "Dig a hole."
    assert list(inspect.signature(task.body).parameters) == ["c", "swarm", "target", "config", "quiet", "deep"]


# ---------------------------------------------------------------------------------------------------------------------
# What a body is handed


def test_a_body_gets_what_was_chosen_and_its_own_arguments() -> None:
    seen = []

    @command(task="Which one.", often="How often.")
    def look(invocation: Invocation, task: str, *, often: int = 1) -> None:
        seen.append((invocation.swarm_name, invocation.target_name, invocation.config, task, often))

    task = CommandTask(look)
    task(Context(), "t1")
    task(Context(), "t2", "pairs", config="other.toml", often=2)
    task(Context(), task="t3", target="cluster")
    assert seen == [
        (None, None, "locusts.toml", "t1", 1),
        ("pairs", None, "other.toml", "t2", 2),
        (None, "cluster", "locusts.toml", "t3", 1),
    ]


def test_the_config_is_read_once_and_only_if_it_is_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "locusts.toml"
    invocation = Invocation(Context(), "two", None, str(config))
    config.write_text(
        '[swarms.one]\ncommand = "echo <id>"\nargs = [["1"]]\n[swarms.two]\ncommand = "echo <id>"\nargs = [["1"]]\n',
        "utf-8",
    )
    assert invocation.swarm.name == "two"
    config.unlink()
    assert invocation.swarm is invocation.swarm


def test_the_screen_is_the_same_all_the_time() -> None:
    invocation = Invocation(Context(), None, None, "locusts.toml")
    assert invocation.screen is invocation.screen


def test_only_a_connection_is_used_as_one() -> None:
    class Connection(Context):
        is_connected = True

    connection = Connection()
    assert Invocation(Context(), None, None, "locusts.toml").connection is None
    assert Invocation(connection, None, None, "locusts.toml").connection is connection


# ---------------------------------------------------------------------------------------------------------------------
# Exit codes and errors


@pytest.mark.parametrize("code", [None, ExitStatus.DONE])
def test_a_body_that_comes_to_nothing_bad_just_returns(code: ExitStatus | None) -> None:
    @command()
    def end(_invocation: Invocation) -> ExitStatus | None:
        return code

    assert end.run(Context()) == Ending()
    CommandTask(end)(Context())


def test_any_other_exit_code_ends_the_program_without_a_word() -> None:
    @command()
    def end(_invocation: Invocation) -> ExitStatus:
        return ExitStatus.FAILED

    assert ending(end) == ("", 1)


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (ConfigError("my.toml", ["a: wrong", "b: wrong"]), "my.toml: a: wrong\nmy.toml: b: wrong", 2),
        (HostError("no route", hint="try again"), "no route\n  try again", 3),
        (SchedulerError("refused"), "refused", 4),
        (LocustsError("a \x1b[31mred\x1b[0m word"), r"a \x1b[31mred\x1b[0m word", 2),
        (KeyboardInterrupt(), "interrupted; the same command again carries on", 130),
    ],
)
def test_an_error_becomes_a_message_and_an_exit_code(error: BaseException, message: str, code: int) -> None:
    assert ending(failing(error)) == (message, code)


def test_a_config_that_is_wrong_is_such_an_error(tmp_path: Path) -> None:
    @command()
    def look(invocation: Invocation) -> None:
        assert not invocation.swarm

    message, code = ending(look, config=str(tmp_path / "none.toml"))
    assert "no such file" in message
    assert code == 2


def test_a_plain_command_is_guarded_too() -> None:
    @plain_command()
    def fail(_c: Context) -> None:
        raise HostError("no route")

    assert ending(fail) == ("no route", 3)


def test_a_reader_that_has_gone_is_no_error() -> None:
    assert failing(ReaderGoneError()).run(Context()) == Ending()


def test_another_link_that_breaks_is_one() -> None:
    message, code = ending(failing(BrokenPipeError("a socket")))
    assert "a socket" in message
    assert code == 2


def test_a_body_may_say_how_it_ended() -> None:
    @command()
    def end(_invocation: Invocation) -> Ending:
        return Ending(1, "so and so")

    assert ending(end) == ("so and so", 1)


@pytest.mark.parametrize(
    ("quiet", "json_", "printed"),
    [(False, False, ("answer", "note")), (True, False, ("", "")), (True, True, ("answer", ""))],
)
def test_quiet_prints_only_what_was_asked_for(
    capfd: pytest.CaptureFixture[str], printed: tuple[str, str], *, quiet: bool, json_: bool
) -> None:
    @command(json_="Print JSON.")
    def tell(_invocation: Invocation, *, json_: bool = False) -> Ending:
        del json_
        sys.stdout.write("answer")
        sys.stderr.write("note")
        return Ending(1, "trouble")

    assert tell.run(Context(), quiet=quiet, json_=json_) == Ending(1, "trouble")
    assert tuple(capfd.readouterr()) == printed


def test_what_nobody_foresaw_goes_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    message, code = ending(failing(ZeroDivisionError("by nought")))
    first, second = message.split("\n")
    assert first == "this should not happen: ZeroDivisionError: by nought"
    assert code == 2
    (file,) = tmp_path.iterdir()
    assert second == f"  the same command again may carry on; if not, please report it, with {file}"
    assert re.fullmatch(r"locusts-fault-.*\.txt", file.name)
    text = file.read_text("utf-8")
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("ZeroDivisionError: by nought\n")


def test_an_error_may_name_a_file_of_any_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    message, _ = ending(failing(OSError("no such file: \x1b[2J\udcff")))
    assert message.startswith(r"this should not happen: OSError: no such file: \x1b[2J\udcff")
    assert next(tmp_path.iterdir()).read_text("utf-8").endswith("no such file: \x1b[2J\\udcff\n")
