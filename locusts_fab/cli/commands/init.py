"""`locusts init`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locusts_fab.cli.command import plain_command

if TYPE_CHECKING:
    from locusts_fab.operations.scaffold import Answers


@plain_command(
    lists=("inputs", "outputs"),
    example="locusts init --command 'wc <id>.txt > out' --inputs '*.txt'",
    config="The file to write (default: locusts.toml).",
    swarm="A name for the swarm (default: main).",
    command="What each task runs.",
    indir="The folder of the inputs (default: this one).",
    inputs="An input of each task: <id>, or *, is what differs; can be given several times.",
    outputs="A file that comes back; can be given several times.",
    host="Where tasks run, as ssh has it (default: here).",
)
def init(
    _context: object,
    *,
    config: str = "locusts.toml",
    swarm: str = "main",
    command: str = "",
    indir: str = ".",
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
    host: str = "",
) -> None:
    """Write a first locusts.toml, with comments.

    On a terminal it asks, unless it is told what to run.
    """
    from locusts_fab.cli.messages import print_note
    from locusts_fab.operations.scaffold import Answers, write_config
    from locusts_fab.text import counted

    answers = Answers(swarm, command, indir, tuple(inputs or ()), tuple(outputs or ()), host)
    if not command and sys.stdin and sys.stdin.isatty() and sys.stderr.isatty():
        answers = _ask(answers)
    count = write_config(answers, config)
    print_note(f"written to {config}: {counted(count, 'task')}; try the first one with: locusts try" + _chosen(config))


def _chosen(config: str) -> str:
    """Return the option that chooses a config."""
    return "" if config == "locusts.toml" else f" --config {config}"


def _ask(answers: Answers) -> Answers:
    """Return the answers of a person; an empty line keeps what stands there already."""
    from dataclasses import replace

    command = _question("what does each task run? an empty line: an example", answers.command)
    if not command:
        return answers
    inputs = _question("files that it reads, with * for what differs from task to task", " ".join(answers.inputs))
    indir = _question("the folder of these", answers.indir) if inputs else answers.indir
    outputs = _question("files that come back; an empty line: those it writes with >", " ".join(answers.outputs))
    host = _question("on which host? an empty line: here", answers.host)
    return replace(
        answers, command=command, inputs=tuple(inputs.split()), indir=indir, outputs=tuple(outputs.split()), host=host
    )


def _question(text: str, default: str) -> str:
    """Ask a question, and return the answer."""
    sys.stderr.write(f"{text}{f' [{default}]' if default else ''}: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or default
