"""What is not here any more and cannot come again, for the environment that had it is not the one that is there.

As after a clean, and after a target got another root: what was removed here then is lacking until its task runs again,
and nothing that is still here of the task is touched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from locusts_fab.results.collect import outputs_to_bring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locusts_fab.layout import Results
    from locusts_fab.model.tasks import Outcome


class Absent:
    """The outputs that are lacking for good.

    :param results: where they should be.
    :param there: how claims of the environment end that is there; None: there is none.
    :ivar lacking: number of the task, and output.
    """

    def __init__(self, results: Results, there: str | None) -> None:
        self._results, self._there = results, there
        self.lacking: list[tuple[int, str]] = []

    def that_may_come(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Yield the tasks that the environment has that is there, and note what is lacking of the others.

        :param outcomes: tasks that came back at some time; of those in archives, only those that are not there.
        """
        for outcome in outcomes:
            if self._there is not None and outcome.claim.endswith(self._there):
                yield outcome
            elif outcome.is_here:
                self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        root = f"{self._results.outdir}/{outcome.place}/"
        for name, found in outputs_to_bring(outcome, self._results):
            if found and not os.path.lexists(root + name):
                self.lacking.append((outcome.number, name))
