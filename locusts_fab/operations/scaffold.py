"""Scaffold: a first locusts.toml, with comments, made of a few answers."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from locusts_fab.config.load import load
from locusts_fab.config.writing import target_here, target_there, toml_line, toml_value
from locusts_fab.errors import ConfigError, TransferError
from locusts_fab.plan.tasks import make_plan

#: What is run where nobody says what: it runs anywhere.
_EXAMPLE = "echo task <id> has <arg0> > out.txt"
_HANDLE = re.compile(r"<(\w+)>")
_WRITTEN_TO = re.compile(r"(?:^|[^>&\d])>\s*([\w{][\w.{}/-]*)")


@dataclass(frozen=True)
class Answers:
    """What a config is made of.

    :param name: the name of the swarm.
    :param command: the command of each task; empty: an example.
    :param indir: the folder of the inputs.
    :param inputs: names of inputs, in which `<id>`, or `*`, is what differs from task to task; none: rows of values.
    :param outputs: the files to bring back; none: those that the command writes to by `>`.
    :param host: where tasks run, as ssh has it; empty: on this machine.
    """

    name: str = "main"
    command: str = ""
    indir: str = "."
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    host: str = ""


def write_config(answers: Answers, path: str) -> int:
    """Write a config, checked, unless there is one.

    :returns: how many tasks it means.
    :raises ConfigError: there is one, or the answers do not make one.
    :raises PlanError: no inputs fit, or names collide.
    :raises TransferError: it cannot be written.
    """
    there = Path(path)
    if os.path.lexists(there):
        raise ConfigError(path, ["it is there already, and stays as it is; say another name with --config FILE"])
    try:
        text = config_text(answers).encode()
        count = _count_tasks(text, answers.name, there.absolute().parent)
        with there.open("xb") as file:
            file.write(text)
    except ConfigError as error:
        raise ConfigError(path, [f"with these answers: {problem}" for problem in error.problems]) from None
    except UnicodeEncodeError:
        raise ConfigError(path, ["an answer holds bytes that are not UTF-8, and a config cannot"]) from None
    except FileExistsError:
        raise ConfigError(path, ["it is there already, and stays as it is"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise TransferError(f"{path}: it cannot be written: {getattr(error, 'strerror', None) or error}") from error
    return count


def _count_tasks(text: bytes, name: str, folder: Path) -> int:
    """Return how many tasks a config means that is to lie in a folder.

    :raises ConfigError: it is wrong.
    :raises PlanError: no plan can be made.
    """
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:  # not in the folder, where it could be taken for an input
        file.write(text)
        file.flush()
        swarm = replace(load(file.name, name), folder=folder)
    return make_plan(swarm, swarm.environment_dir).count


def config_text(answers: Answers) -> str:
    """Return the text of a config."""
    command = answers.command or _EXAMPLE
    inputs = [name if "<" in name else name.replace("*", "<id>") for name in answers.inputs]
    outputs = list(answers.outputs) or _written_by(command)
    target = "there" if answers.host else "here"
    lines = [
        "# What `locusts` runs in this folder. Next: `locusts try` runs the first task, `locusts run` all of them.",
        "# Paths are relative to this folder. A # before a key: it is only an example, or the default.",
        "",
        f"[targets.{target}]",
        *(target_there(answers.host) if answers.host else target_here()),
        "",
        f"[swarms.{toml_value(answers.name)}]",
        toml_line("target", target),
        toml_line("command", command, "<id>: the id of the task"),
    ]
    if inputs:
        lines += [
            toml_line("indir", answers.indir, "the folder of the inputs"),
            toml_line("inputs", inputs, "<id> is what differs from task to task"),
        ]
    else:
        lines += [
            toml_line("args", [["1"], ["2"], ["3"]], "a task for each row: <arg0> is its first value"),
            "# sweep = { temperature = [280, 300] }       # or one for each combination: <temperature>",
            '# args_file = "rows.csv"                     # or one for each row of a file, by the names in its header',
        ]
    lines += [
        toml_line("outputs", outputs, "what comes back, to results/<swarm>/<task>"),
        '# shared = { program = "model.py" }          # files that all tasks read: <shared>program',
        "# retries = 1                                # another attempt after a failure",
        '# timeout = "10m"                            # for each attempt',
    ]
    return "\n".join(lines) + "\n"


def _written_by(command: str) -> list[str]:
    """Return the files that a command writes to by `>`, as far as that is easily seen."""
    plain = _HANDLE.sub(r"{\1}", command) if not set("{}") & set(command) else ""
    found = _WRITTEN_TO.findall(plain)
    return list(dict.fromkeys(name.replace("{", "<").replace("}", ">") for name in found))
