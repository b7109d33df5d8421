"""Two stages on one host: what the first made is taken there, and does not travel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import locusts_fab
from tests.support.relay import counted
from tests.support.sshd import module_sshd, needs_sshd, no_waiting

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from tests.support.sshd import Sshd

pytestmark = needs_sshd
__all__ = ["module_sshd", "no_waiting"]

ODD = ["1", "it's $(x)", "-rf"]
CONFIG = """
[targets.far]
mode = "remote"
host = "cluster"
scheduler = "none"
slots = 2
root = {root}

[swarms.one]
command = "head -c 100000 /dev/zero > big_<id>; echo <id> > name"
inputs = ["<id>.txt"]
outputs = ["big_<id>", "name"]

[swarms.two]
command = "wc -c < big_<id> > size; cat name ./<id>.txt >> size"
inputs = [{own}"@one/<id>/big_<id>", "@one/<id>/name"]
outputs = ["size"]
"""


def in_stages(folder: Path, old: str = "", new: str = "") -> tuple[Swarm, Swarm]:
    """Make tasks of odd ids, and the swarms of both stages; in the config, put one text in the place of another."""
    for name in ODD:
        (folder / f"{name}.txt").write_text(f"<{name}>\n")
    config = folder / "locusts.toml"
    text = CONFIG.format(root=json.dumps(str(folder / "there")), own='"<id>.txt", ')
    config.write_text(text.replace(old, new) if old else text)
    return locusts_fab.load(config, "one"), locusts_fab.load(config, "two")


def test_results_are_taken_on_the_host(module_sshd: Sshd, tmp_path: Path) -> None:
    root = tmp_path / "there"
    one, two = in_stages(tmp_path)
    locusts_fab.submit(one, module_sshd.connection())
    locusts_fab.watch(one, module_sshd.connection())
    assert not one.outdir.exists()  # so there is nothing here that could travel
    submitted = locusts_fab.submit(two, module_sshd.connection())
    assert (submitted.tasks, submitted.notes) == (3, [])
    for name in ODD:
        made, taken = (next((root / where).rglob(f"big_{name}")) for where in ("one/work", "two/inputs"))
        assert made.samefile(taken)
    collected = locusts_fab.collect(two, module_sshd.connection(), wait=True)
    assert (collected.status.tasks.failed, collected.troubles) == (0, 0)
    for name in ODD:
        assert (two.outdir / name / "size").read_text().split("\n") == ["100000", name, f"<{name}>", ""]
    # a second submit goes by rsync, which sees what is new, and takes all again
    (tmp_path / "1.txt").write_text("new\n")
    assert locusts_fab.submit(two, module_sshd.connection(), redo_changed=True).tasks == 1
    locusts_fab.collect(two, module_sshd.connection(), wait=True)
    assert (two.outdir / "1/size").read_text() == "100000\n1\nnew\n"


def test_folders_are_taken_on_the_host(module_sshd: Sshd, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").touch()
    root = tmp_path / "there"
    config = tmp_path / "locusts.toml"
    text = CONFIG.format(root=json.dumps(str(root)), own="")
    text = text.replace(
        "head -c 100000 /dev/zero > big_<id>;", "mkdir -p plots/in; echo <id> | tee plots/in/x plots/y;"
    )
    text = text.replace('["big_<id>", "name"]', '["plots/", "name"]').replace(
        "wc -c < big_<id> > size; cat name ./<id>.txt >>", "cat plots/y plots/in/x >"
    )
    config.write_text(text.replace('"@one/<id>/big_<id>"', '"@one/<id>/plots"').replace(', "@one/<id>/name"', ""))
    one, two = locusts_fab.load(config, "one"), locusts_fab.load(config, "two")
    locusts_fab.submit(one, module_sshd.connection())
    locusts_fab.watch(one, module_sshd.connection())
    submitted = locusts_fab.submit(two, module_sshd.connection())
    assert (submitted.tasks, submitted.notes) == (2, [])
    for made in (root / "one/work").rglob("y"):
        assert any(made.samefile(taken) for taken in (root / "two/inputs").rglob("y"))
    assert locusts_fab.collect(two, module_sshd.connection(), wait=True).status.tasks.done == 2
    assert [(two.outdir / name / "size").read_text() for name in "ab"] == ["a\na\n", "b\nb\n"]


def test_what_is_here_too_does_not_travel_again(module_sshd: Sshd, tmp_path: Path) -> None:
    """Bytes are counted on the way: the results are here, but the second stage takes those that are there."""
    ids = [str(number) for number in range(10)]
    for name in ids:
        (tmp_path / f"{name}.txt").touch()
    config = tmp_path / "locusts.toml"
    text = CONFIG.format(root=json.dumps(str(tmp_path / "there")), own="").replace(" ./<id>.txt >>", " >>")
    config.write_text(text.replace("/dev/zero", "/dev/urandom"))  # which no compression makes smaller
    one, two = locusts_fab.load(config, "one"), locusts_fab.load(config, "two")
    locusts_fab.submit(one, module_sshd.connection())
    locusts_fab.collect(one, module_sshd.connection(), wait=True)
    assert (one.outdir / "7/big_7").stat().st_size == 100_000
    with counted(module_sshd, tmp_path) as (connection, travelled):
        assert locusts_fab.submit(two, connection).tasks == 10
        locusts_fab.collect(two, connection, wait=True)
    assert [(two.outdir / name / "size").read_text() for name in ids] == [f"100000\n{name}\n" for name in ids]
    assert 0 < travelled["there"] < 200_000  # of 1,000,000 bytes that the first stage has made


def test_what_is_lost_there_travels_from_here(module_sshd: Sshd, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"<{name}>\n")
    root = tmp_path / "there"
    config = tmp_path / "locusts.toml"
    config.write_text(CONFIG.format(root=json.dumps(str(root)), own="").replace(" ./<id>.txt >>", " >>"))
    one, two = locusts_fab.load(config, "one"), locusts_fab.load(config, "two")
    locusts_fab.submit(one, module_sshd.connection())
    locusts_fab.collect(one, module_sshd.connection(), wait=True)
    next((root / "one/work").rglob("big_a")).unlink()
    submitted = locusts_fab.submit(two, module_sshd.connection())
    assert "1 input of other swarms had to travel" in submitted.notes[0]
    collected = locusts_fab.collect(two, module_sshd.connection(), wait=True)
    assert (collected.status.tasks.failed, collected.troubles) == (0, 0)
    assert [(two.outdir / name / "size").read_text() for name in "ab"] == ["100000\na\n", "100000\nb\n"]


def test_results_that_stay_packed_travel_where_the_first_stage_is_gone(module_sshd: Sshd, tmp_path: Path) -> None:
    outputs = 'outputs = ["big_<id>", "name"]'
    one, two = in_stages(tmp_path, outputs, f'{outputs}\npack = true\nresults = "archive"')
    locusts_fab.submit(one, module_sshd.connection())
    locusts_fab.collect(one, module_sshd.connection(), wait=True)
    locusts_fab.clean(one, module_sshd.connection())
    for redo in (False, True):  # the second submit goes by rsync
        assert locusts_fab.submit(two, module_sshd.connection(), redo=redo).tasks == 3
        locusts_fab.collect(two, module_sshd.connection(), wait=True)
        for name in ODD:
            assert (two.outdir / name / "size").read_text().split("\n") == ["100000", name, f"<{name}>", ""]
        assert not (two.state_dir / ".unarchived").exists()  # what was sent goes
