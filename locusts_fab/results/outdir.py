"""The folder of results that the ledger knows of, where the config names another one: there nothing counts as come.

What was brought stays where it was brought to, and all comes again to the new folder. If the folder was moved or copied
as a whole, that is seen by a table of ours in it, which is written anew each time, and nothing need come.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.errors import StateError
from locusts_fab.progress import LOGGER
from locusts_fab.results.own import mark_of_status
from locusts_fab.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from locusts_fab.layout import Results
    from locusts_fab.state.ledger import Ledger

_FACT = "outdir"


def is_where_it_was(results: Results, ledger: Ledger, project: Path) -> bool:
    """Return whether what came lies under outdir, as far as it is known where it came to.

    :param project: the folder of the config.
    """
    known = ledger.fact(_FACT)
    if known is None or known == _named(results.outdir, project):
        return True
    table = results.tasks_table
    try:
        return ledger.own_files.marks([table.name]).get(table.name) == mark_of_status(table.lstat())
    except OSError:  # it is not there
        return False


def note_outdir(results: Results, ledger: Ledger, project: Path) -> None:
    """Enter where results come to, if the ledger does not say so yet: it is new, or was made before there was this."""
    if ledger.fact(_FACT) is None:
        ledger.set_fact(_FACT, _named(results.outdir, project))


def where_it_lies(results: Results, ledger: Ledger, project: Path) -> Results:
    """Return the names of what came, in the folder that it came to."""
    if is_where_it_was(results, ledger, project):
        return results
    return replace(results, outdir=_known(ledger, project))


def come_to_outdir(results: Results, ledger: Ledger, project: Path, there: Callable[[], str | None]) -> None:
    """Enter that results come to outdir from now on; if they came to another folder before, all of them come again.

    :param there: returns how the claims of the environment end that is there; None: there is none.
    :raises StateError: some cannot come again; nothing was changed.
    """
    is_the_same = is_where_it_was(results, ledger, project)
    if not is_the_same:
        refuse_stranded(results, ledger, project, there)
        where = (printable(str(_known(ledger, project)), ""), printable(str(results.outdir), ""))
        LOGGER.info("results were brought to %s; all come again, to %s", *where)
    ledger.set_outdir(_FACT, _named(results.outdir, project), is_the_same=is_the_same)


def refuse_stranded(
    results: Results, ledger: Ledger, project: Path, there: Callable[[], str | None], *, but_chosen: bool = False
) -> None:
    """See that what came to another folder than outdir can come again.

    :param there: see `come_to_outdir`.
    :param but_chosen: whether the tasks that `choose` has chosen need not come again, for they run again.
    :raises StateError: some cannot.
    """
    if is_where_it_was(results, ledger, project):
        return
    stranded = ledger.count_stranded(there(), but_chosen=but_chosen)
    if stranded:
        known = _known(ledger, project)
        is_state = os.path.realpath(known) == os.path.realpath(ledger.path.parent)  # of a custom environment
        what = "the tables and logs that are" if is_state else "what is"
        raise StateError(
            f"outdir is {results.outdir} now, and what {counted(stranded, 'task')} left was brought to {known};"
            " it cannot come again, for the target has it no more, so nothing was changed",
            hint=f"set outdir back; or move {what} in {known}, tables and all, to {results.outdir}, and repeat this;"
            " or `locusts submit --redo`, which runs all again",
        )


def _named(outdir: Path, project: Path) -> str:
    """Return what the ledger calls a folder: if it lies in the project folder, which may be moved, its path from there.

    It may hold symlinks; what they lead to counts.
    """
    path, base = os.path.realpath(outdir), os.path.realpath(project)
    return os.path.relpath(path, base) if f"{path}/".startswith(f"{base.rstrip('/')}/") else path


def _known(ledger: Ledger, project: Path) -> Path:
    """Return the folder that the ledger knows of."""
    return Path(os.path.realpath(project)) / (ledger.fact(_FACT) or "")
