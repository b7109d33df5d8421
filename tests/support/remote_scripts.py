"""The scripts of `templates/remote`, run by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.environments import ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locusts_fab.hosts.base import Result

    Run = Callable[..., Result]


def reserve(run: Run, root: Path | str, token: str, number: int = 1, *, known: str = " ", **more: str) -> Result:
    """Make an environment, or reserve a number in it."""
    words = (more.get("id_", ID), more.get("note", "me\tlaptop"), known, str(number), "1 9", token)
    return run("reserve", str(root), *words)
