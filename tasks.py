"""What `invoke` finds in this repository: the commands of locusts_fab, and `dev` for those who work on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.collection import Collection
from invoke.tasks import task

import locusts_fab

if TYPE_CHECKING:
    from invoke.context import Context


@task
def lint(c: Context) -> None:
    """Check the style and the types of the Python sources; the tests check the bash."""
    c.run("ruff format --check .")
    c.run("ruff check .")
    c.run("mypy")


@task(pre=[lint])
def test(c: Context) -> None:
    """Check everything: style, types, and all the tests."""
    c.run("python -m pytest")


dev = Collection("dev")
dev.add_task(lint)  # type: ignore[arg-type]  # Invoke types its decorator as any callable
dev.add_task(test)

namespace = Collection(*locusts_fab.collection.tasks.values(), dev=dev)
