"""Outputs that are patterns, in every mode: what matched comes back, and is known again after a lost ledger."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.tsv import unescape
from tests.support.laptops import laptop_in
from tests.support.sshd import module_sshd, needs_sshd, no_waiting

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = needs_sshd
__all__ = ["module_sshd", "no_waiting"]

SWARM = """
[swarms.s]
command = '''
mkdir -p plots; echo <id> > plots/1.png; echo <id> > 'a $(b)'$'\\n\\xff.csv'; touch .hidden.csv; echo 2 >> in_2.txt || :
for i in {1..50}; do echo $i > part_$i.csv; done
[[ <id> != 3 ]] || rm plots/1.png'''
indir = "in"
inputs = ["in_<id>.txt"]
outputs = ["*.csv", "plots/*.png", "plots/"]
optional_outputs = ["core.*", "*.txt"]
"""


@pytest.mark.parametrize("mode", ["local", "remote", "remote-shared"])
def test_what_matched_comes_and_is_known_after_attach(
    mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    laptop = laptop_in(mode, tmp_path, lambda: request.getfixturevalue("module_sshd"))
    (laptop.folder / "in").mkdir()
    for number in (1, 2, 3):
        (laptop.folder / f"in/in_{number}.txt").write_text("1\n")
        os.utime(laptop.folder / f"in/in_{number}.txt", (1_000_000_000, 1_000_000_000))
    (laptop.folder / "locusts.toml").write_text(laptop.target + SWARM)
    swarm = locusts_fab.load(laptop.folder / "locusts.toml")
    laptop.run(swarm)
    outdir = laptop.folder / "results/s"
    table = (outdir / "outputs.tsv").read_bytes()
    rows = [list(map(unescape, os.fsdecode(line).split("\t"))) for line in table.split(b"\n")[1:-1]]
    csv = ["a $(b)\n\udcff.csv", *sorted(f"part_{part}.csv" for part in range(1, 51))]
    wanted = []
    for task, place in (("1", "1"), ("2", "2"), ("3", "failed/3")):
        names = [*csv, *(["plots/1.png"] if task != "3" else []), "plots", "in_2.txt"]
        wanted += [[task, name, "present", f"{place}/{name}"] for name in names]
    wanted.insert(len(wanted) - 2, ["3", "plots/*.png", "missing", ""])
    assert rows == wanted
    assert all(os.path.lexists(f"{outdir}/{path}") for _, _, _, path in wanted if path)
    assert (outdir / "2/part_50.csv").read_text() == "50\n"
    assert (outdir / "2/in_2.txt").read_text() == "1\n2\n"

    shutil.rmtree(laptop.folder / ".locusts/s")
    shutil.rmtree(outdir)
    locusts_fab.attach(swarm, laptop.connection())
    collected = locusts_fab.collect(swarm, laptop.connection())
    assert (collected.tasks, collected.troubles) == (3, 0)
    assert (outdir / "outputs.tsv").read_bytes() == table
