"""What holds for all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Undo what whoever starts us may have done to signals: nohup and `&` leave some ignored, for our children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Give a user's folder, with a name that any fault in quoting stumbles over; what runs in the end is stopped."""
    folder = tmp_path / 'a desk\'s "$(touch x)" é'
    folder.mkdir()
    made = Workspace(folder)
    yield made
    if list(folder.glob(".locusts/*/ledger.sqlite")):
        made.locusts("cancel")
    assert not list(tmp_path.rglob("x")), "the name of the folder was run"
