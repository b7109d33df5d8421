"""What a host says of outputs that may not have come: it may say anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings

from locusts_fab.outputs import NOT_WHOLE
from locusts_fab.progress import Silent
from locusts_fab.transfer.arrived import complete
from tests.support.forged import Liar, encoded, texts

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.hosts.base import Carrier

NAME = "work/000001.1.c0ffee12/1/out"


def completed(tmp_path: Path, listed: str) -> dict[str, str]:
    """Let a folder have come, with a file of one byte in it, of which the host says that."""
    folder = tmp_path / "incoming"
    (folder / NAME).mkdir(parents=True, exist_ok=True)
    (folder / NAME / "file").write_bytes(b"x")
    host = cast("Carrier", Liar(lambda _: encoded(listed)))
    return complete(host, "/e", [NAME], folder, tmp_path, Silent())


def entries(size: str) -> str:
    return f"d 4096\0\0./{NAME}\0\0f {size}\0\0./{NAME}\0file\0"


def test_a_folder_whose_file_came_whole(tmp_path: Path) -> None:
    assert completed(tmp_path, entries("1")) == {}


@pytest.mark.parametrize("size", ["¹", "٣", "9" * 4301, "-1", "0x1", "1_0", "1.0", " 1", "", str(10**30)])
def test_a_size_that_is_none_is_not_what_came(tmp_path: Path, size: str) -> None:
    assert completed(tmp_path, entries(size)) == {NAME: f"file in it: {NOT_WHOLE}"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(size=texts, link=texts)
def test_any_text_in_what_it_says(tmp_path: Path, size: str, link: str) -> None:
    for listed in (entries(size), entries(f"{size}\0{link}"), size):
        assert set(completed(tmp_path, listed)) <= {NAME}
