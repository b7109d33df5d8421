"""How records get into the file of a manager, to which all its slots append."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from locusts_fab.shell.scripts import templates_folder
from tests.support.managers import BASH

#: A file by which a bash that prints to it first gets a buffer of 1 KiB, as on a file system with such blocks.
SMALL_BLOCKS = Path("/proc/self/comm")
LIBRARIES = [templates_folder() / "manager" / name for name in ("records.sh", "slot.sh")]


@pytest.mark.skipif(
    not SMALL_BLOCKS.exists() or SMALL_BLOCKS.stat().st_blksize > 1024, reason="this file has other blocks here"
)
@pytest.mark.parametrize("size", [300, 900, 1_100, 3_700, 20_000])
def test_a_record_is_one_write(tmp_path: Path, size: int) -> None:
    """Whatever its length and that of a buffer, no other slot writes into it."""
    libraries = "".join(path.read_text() for path in LIBRARIES)
    first = f"IS_DEAF=1 SPENT=''; printf bash > {SMALL_BLOCKS}"
    many = 'for name in a b c d; do for ((n = 0; n < 60; n++)); do append "${text//NAME/$name}"; done & done; wait'
    text = f"NAME{'x' * size}é\nNAME\n"
    script = f"{libraries}\n{first}; CACHE={tmp_path}/cache text=$1\n{many}"
    subprocess.run([BASH, "-uc", script, "bash", text], check=True, timeout=100)
    lines = (tmp_path / "cache").read_text().splitlines()
    assert set(lines) == {line for name in "abcd" for line in (name, f"{name}{'x' * size}é")}
    assert len(lines) == 4 * 60 * 2
