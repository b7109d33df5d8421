"""Swarms that ran, for tests of what comes back."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from locusts_fab.layout import Environment, Results
from locusts_fab.manager.records import Began, Ended, Manager, read_found
from locusts_fab.model.tasks import Task
from locusts_fab.operations.collect import collect_ended, mark_to_come_again
from locusts_fab.progress import Silent
from locusts_fab.results.lists import write_lists
from locusts_fab.state.ledger import Ledger
from locusts_fab.transfer.mounted import MountedTransfer
from locusts_fab.tsv import unescape


class Case:
    """A swarm that ran: an environment with sandboxes, a ledger, and a folder for results."""

    def __init__(self, folder: Path, *, is_flat: bool = False) -> None:
        self.environment = Environment(str(folder / "environment"))
        Path(self.environment.root).mkdir(parents=True, exist_ok=True)
        self.results = Results(folder / "the results", is_flat)
        self.outdir = self.results.outdir
        self.ledger = Ledger(folder / "ledger.sqlite")

    def plan(self, **outputs: tuple[str, ...]) -> None:
        """Plan tasks: their ids and outputs."""
        self.plan_all(outputs)

    def plan_all(self, outputs: dict[str, tuple[str, ...]]) -> None:
        """Plan tasks whose ids are no Python names."""
        self.ledger.take_plan([Task(task_id, "true", (), names) for task_id, names in outputs.items()], "/e")
        self.ledger.begin_submission(1, 1)

    def sandbox(self, number: int, attempt: int = 1, claim: str = "000001.1") -> Path:
        """Make the sandbox of an attempt."""
        path = Path(self.environment.absolute(self.environment.sandbox(claim, number, attempt)))
        path.mkdir(parents=True, exist_ok=True)
        return path

    def end(
        self, number: int, found: str, state: str = "done", *, attempt: int = 1, claim: str = "000001.1", **more: str
    ) -> None:
        """Let an attempt end; `log` is what it printed, `reason` the reason."""
        log = more.get("log", "")
        number_of_log = 10 * number + attempt if log else 0
        if log:
            self.sandbox(number, attempt, claim)
            path = Path(self.environment.absolute(self.environment.log(claim, number_of_log)))
            path.write_bytes(os.fsencode(log))
        code = 0 if state == "done" else 3
        reason = more.get("reason", "")
        record = Ended(
            claim, number, attempt, state, code, 10.5, 12.75, read_found(found), number_of_log, reason, 1.5, 20.5
        )
        with self.ledger.transaction():
            self.ledger.apply(
                "1-0", [Manager("1-0", "a\tnode", 1, 1, 9.0), Began(claim, number, attempt, 10.5, 1), record], 0
            )

    def collect(self, homes: tuple[str, ...] | None = None, *, overwrite: bool = False, there: str | None = "") -> int:
        """Collect as `locusts collect` does.

        :param homes: as in mode remote-shared: what the environment is called there and here.
        :param there: how claims of the environment end that is there; None: there is none.
        """
        mark_to_come_again(self.ledger, self.results, there, overwrite=overwrite)
        transfer = MountedTransfer(self.environment, homes=homes)
        count = collect_ended(self.ledger, transfer, self.results, Silent(), overwrite=overwrite)
        ledger = self.ledger
        write_lists(ledger.outcomes(), ledger.troubles(), self.results, ledger.own_files, overwrite=overwrite)
        return count

    def table(self, path: Path) -> list[dict[str, str]]:
        """Read a table, its escapes undone."""
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [{key: unescape(value) for key, value in row.items()} for row in rows]

    def outputs(self) -> list[tuple[str, ...]]:
        """Read outputs.tsv."""
        return [tuple(row.values()) for row in self.table(self.results.outputs_table)]

    def tasks(self) -> list[dict[str, str]]:
        """Read tasks.tsv."""
        return self.table(self.results.tasks_table)

    def files(self) -> set[str]:
        """List the files under the folder of results, tables aside."""
        found = {str(path.relative_to(self.outdir)) for path in self.outdir.rglob("*") if not path.is_dir()}
        return found - {"tasks.tsv", "outputs.tsv"}
