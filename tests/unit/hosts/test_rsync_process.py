"""rsync through a login that is there, where something fails here: nothing that was opened stays open."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from locusts_fab.hosts.rsync_process import run_rsync
from tests.support.processes import open_files


def test_rsync_cannot_be_told_what_to_do() -> None:
    def fail(_: str) -> NoReturn:
        raise FileNotFoundError("the folder that we are in is no more")

    transport: Any = None
    before = open_files()
    with pytest.raises(FileNotFoundError) as caught:
        run_rsync(transport, fail, name="cluster")
    assert open_files() == before, caught
