"""What a trial shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locusts_fab.cli.logs import print_log
from locusts_fab.cli.messages import print_note, print_shown
from locusts_fab.text import size
from locusts_fab.tsv import escape

if TYPE_CHECKING:
    from locusts_fab.operations.trial import Trial

#: Of what each task printed, so many lines are shown, the last ones.
_LINES = 30


def print_trial(trial: Trial) -> None:
    """Print what became of the tasks that were tried: command, sandbox, what each printed, its outputs."""
    for note in trial.notes:
        print_note(note)
    for number, each in enumerate(trial.tried):
        if number:
            print()
        print_log(each.log, _LINES)
        for name, path in each.outputs.items():
            shown = escape(name)
            if path is None:
                print_shown(f"output   {shown} {each.absent[name]}")
            elif name in each.packed:
                print_shown(f"output   {shown}, {size(each.packed[name])}, packed in {path}; `locusts cat` prints it")
            elif path.is_dir():
                print_shown(f"output   {shown}: {path}")
            else:
                print_shown(f"output   {shown}, {size(path.lstat().st_size)}: {path}")
