"""What holds for all tests."""

from __future__ import annotations

import contextlib
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


#: Whether there are tests that share a cluster.
SHARES_CLUSTER = pytest.StashKey[bool]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave what is there from now on out of all collecting, which is what makes that cheap."""
    session.stash[SHARES_CLUSTER] = any(item.get_closest_marker("cluster") for item in session.items)
    gc.collect()
    gc.freeze()


#: How nice this process is when it starts, and how nice tests are that can wait for others.
FIRST, LATER = os.getpriority(os.PRIO_PROCESS, 0), min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the tests that share one cluster go first: one worker has them all, and in the end the others wait for it."""
    if "PYTEST_XDIST_WORKER" in os.environ and item.session.stash[SHARES_CLUSTER]:
        with contextlib.suppress(PermissionError):  # not everybody may go back to FIRST
            os.setpriority(os.PRIO_PROCESS, 0, FIRST if item.get_closest_marker("cluster") else LATER)


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
