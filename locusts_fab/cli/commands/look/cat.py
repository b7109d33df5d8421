"""`locusts cat`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.command import command

if TYPE_CHECKING:
    from locusts_fab.cli.command import Invocation


@command(
    positional=("task", "output"),
    example="locusts cat 000007 out.csv | head",
    task="The task's id, as in tasks.tsv.",
    output="The output, as in outputs.tsv; or a file in one that is a folder.",
)
def cat(invocation: Invocation, task: str, output: str) -> None:
    """Print an output that came back, byte by byte.

    It may lie in a folder under outdir, or in an archive there, as with results = "archive".
    """
    from locusts_fab.cli.logs import print_stream
    from locusts_fab.operations.look.outputs import open_output

    with open_output(invocation.swarm, task, output) as file:
        print_stream(file)
