"""Folders that all tasks read, sent over a login: a link in them that leads to nothing keeps no swarm from running."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from tests.support.sshd import module_sshd, needs_sshd, no_waiting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import Sshd

pytestmark = needs_sshd
__all__ = ["module_sshd", "no_waiting"]


@pytest.mark.parametrize("mode", ["remote", "remote-shared"])
@pytest.mark.parametrize(
    "links",
    [{"gone": "/no/such/file"}, {"self": "."}, {"one": "two", "two": "one"}, {"deep/up": ".."}],
    ids=["to nothing", "to its folder", "to each other", "to the folder above"],
)
def test_a_link_that_cannot_be_sent_keeps_no_task_from_running(
    tmp_path: Path, module_sshd: Sshd, links: dict[str, str], mode: str
) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    for name in ("y", "deep/z"):
        (data / name).write_text(name)
    for name, target in links.items():
        (data / name).symlink_to(target)
    there = json.dumps(str(tmp_path / "there"))
    lines = ["[targets.far]", f"mode = '{mode}'", "slots = 2", f"root = {there}", "host = 'cluster'"]
    lines += ["scheduler = 'none'", *([f"shared_root = {there}"] if mode == "remote-shared" else [])]
    swarm = "[swarms.s]\ncommand = 'cat <shared>data/y <shared>data/deep/z > out'\nargs = {args}\n"
    swarm += "outputs = ['out']\nshared = {{ data = 'data' }}\n"
    config = tmp_path / "locusts.toml"
    for args in ([["1"]], [["1"], ["2"]]):  # the second time the folder is there
        config.write_text("\n".join([*lines, swarm.format(args=json.dumps(args))]))
        loaded = locusts_fab.load(config)
        submitted = locusts_fab.submit(loaded, module_sshd.connection())
        locusts_fab.collect(loaded, module_sshd.connection(), wait=True)
        found = sorted((tmp_path / "results/s").glob("*/out"))
        assert [path.read_text() for path in found] == ["ydeep/z"] * len(args)
        assert [name for name in links if name not in "\n".join(submitted.notes)] == []
