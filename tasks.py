"""What `invoke` finds in this repository: the commands of locusts_fab, and `dev` for those who work on it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.tasks import task

import locusts_fab

if TYPE_CHECKING:
    from invoke.context import Context

#: The Python that we run under; the virtual environment need not be active.
PYTHON = shlex.quote(sys.executable)


@task
def lint(c: Context) -> None:
    """Check the style and the types of the Python sources; the tests check the bash."""
    for words in ("ruff format --check .", "ruff check .", "mypy"):
        c.run(f"{PYTHON} -m {words}")


@task(pre=[lint])
def test(c: Context) -> None:
    """Check everything: style, types, and all the tests."""
    c.run(f"{PYTHON} -m pytest")


dev = Collection("dev")
dev.add_task(lint)  # type: ignore[arg-type]  # Invoke types its decorator as any callable
dev.add_task(test)

namespace = Collection(*locusts_fab.collection.tasks.values(), dev=dev)
