"""What `submit --dry-run` shows: a screen of it, or all of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import shown
from locusts_fab.cli.messages import print_note, print_shown
from locusts_fab.text import LAID_OUT, counted, first_few, printable, size
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Task
    from locusts_fab.operations.scripts import Preview
    from locusts_fab.replica.walk import Selection

#: What is shown fits a terminal of this size, with a line to spare for what comes next.
_COLUMNS, _LINES = 80, 22
_FILES = 4
_COMMAND = 200
_NAMES = 3


def print_preview(swarm: Swarm, preview: Preview, *, scripts: bool, files: bool) -> None:
    """Print what a submit would do: the plan and its first tasks.

    :param scripts: print the rendered scripts, too.
    :param files: list every file that would be replicated, not just the first few.
    """
    plan = preview.plan
    chunks = f"{counted(len(preview.chunks), 'chunk')} of at most {max(preview.chunks, default=0)}"
    lines = [
        f"swarm {swarm.name} on target {swarm.target_name}: {counted(plan.count, 'task')} in {chunks}",
        f"environment: {plan.environment_dir}",
        f"results:     {swarm.outdir}",
    ]
    notes = list(plan.warnings)
    if preview.replica is not None:
        lines += _selected(swarm, preview.replica, None if files else _FILES)
        notes += preview.replica.unmatched
    end = ["", "`locusts tasks` lists all tasks; with --scripts this shows the scripts, too"]
    for line in [*lines, *_samples(preview, _LINES - _height([*lines, *end, *notes])), *end]:
        print_shown(line)
    for note in notes:
        print_note(note)
    if scripts:
        for path, text in preview.scripts.items():
            print_shown(f"\n======== {path}\n{text}", end="")


def _samples(preview: Preview, left: int) -> Iterator[str]:
    """Yield lines on as many tasks as there is space for, but at least on one."""
    for number, sample in enumerate(map(_described, preview.samples)):
        left -= _height(sample)
        if number and left < 0:
            return
        yield from sample


def _height(lines: Sequence[str]) -> int:
    """Return how many lines of a terminal a text takes."""
    return sum(max(1, -(-len(printable(part, "")) // _COLUMNS)) for line in lines for part in line.split("\n"))


def _described(task: Task) -> list[str]:
    """Return what is shown of a task: its command, or the beginning of it, and its files."""
    command = printable(task.command.strip("\n"), LAID_OUT)
    if len(command) > _COMMAND or command.count("\n") > _NAMES:
        command = textwrap.shorten(command, _COMMAND, placeholder=" ...") or f"{command[:_COMMAND]} ..."
    return [
        "",
        f"task {escape(task.id)}: {command}",
        f"  inputs:  {_names(task.inputs)}",
        f"  outputs: {_names(list(map(shown, task.outputs)))}",
    ]


def _names(names: Sequence[str]) -> str:
    """Return the first few names."""
    return "  ".join(first_few([escape(name) for name in names], _NAMES)) or "-"


def _selected(swarm: Swarm, selection: Selection, most: int | None) -> Iterator[str]:
    """Yield lines on what of the local tree would be replicated, with sizes.

    :param most: so many files; None: all.
    """
    root = swarm.local_tree
    folders, files, links = len(selection.folders), len(selection.files), len(selection.links)
    made_of = f"{counted(folders, 'folder')}, {counted(files, 'file')}, {counted(links, 'link')}"
    yield f"the tree {root}: {made_of}, {size(selection.bytes)}"
    for name in selection.files[:most]:
        yield f"{(root / name).lstat().st_size:>14}  {escape(name)}"
    for name in selection.links if most is None else ():
        yield f"{'link':>14}  {escape(name)}"
    if most is not None and files + links > most:
        yield f"{'...':>14}  --files lists all {files + links} of them"
