"""What holds for all tests."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.locales import GB18030, make_locale, why_not
from tests.support.processes import heed_signals
from tests.support.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


#: What `invoke dev.quick` takes: fewer examples of each property than `invoke dev.test`.
settings.register_profile("quick", max_examples=20)


def pytest_configure() -> None:
    """Undo what whoever starts us may have done to signals."""
    heed_signals()


def pytest_collection_finish() -> None:
    """Leave what is there from now on out of all collecting, which is what makes that cheap."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_open() -> Iterator[None]:
    """Collect what a module of tests has left, so that a warning of what nobody closed is told of that module."""
    yield
    gc.collect()


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


@pytest.fixture(scope="session")
def locpath(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the locale of which machines have few: once, for all workers, as it takes seconds."""
    if reason := why_not():
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "locales"
    make_locale(GB18030, folder)
    return folder
