"""The clock that nobody sets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from locusts_fab.state import clock
from locusts_fab.state.clock import read_clock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _fresh() -> None:
    clock._boot.cache_clear()


def test_the_time_of_day_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_clock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    second = read_clock()
    assert first.boot == second.boot
    assert second.awake_s >= first.awake_s
    assert second.up_s >= first.up_s


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_without_an_id_of_its_start_readings_of_one_process_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "boot_id").write_bytes(content)
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "boot_id")
    boots = {read_clock().boot for _ in range(3)}
    clock._boot.cache_clear()  # another process
    assert (len(boots), read_clock().boot in boots) == (1, False)


def test_another_start_is_another_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "boot_id")
    seen = []
    for boot in ("one", "two"):
        (tmp_path / "boot_id").write_text(f"{boot}\n")
        clock._boot.cache_clear()
        seen.append(read_clock().boot)
    assert seen == ["one", "two"]
