"""Fixtures that several tests of the state share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.model.tasks import Task
from locusts_fab.state.ledger import Ledger
from tests.support.environments import founded, reserved
from tests.support.polls import START_S, set_clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as made:
        made.take_plan([Task(f"t{number}", "true", (), ("out",)) for number in range(1, 10)], "/e")
        made.begin_submission(1, 9)
        yield made


@pytest.fixture
def root(tmp_path: Path, ledger: Ledger) -> Path:
    folder = tmp_path / "it's $(an) environment"
    latest = ledger.latest_submission()
    assert latest is not None
    reserved(founded(folder), 1, latest.token)
    return folder


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass but when the test says so."""
    set_clock(monkeypatch, START_S)
