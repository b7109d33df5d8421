"""`locusts convert` as a command: what it prints and writes, and that it takes over what `launch` has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import locusts_fab
from locusts_fab.config.load import load
from tests.support.workspace import Workspace
from tests.unit.legacy.test_convert import PARTS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WORDS = ("--indir", "in", "--outdir", "results/s", "--code", "s", "--cmd", PARTS["cmd"], "--spcins", "f_<id>.txt")
MORE = ("--shdins", "k:common.txt", "--outs", "out.txt", "--outs", "more.txt")


def test_the_command_prints_or_writes_and_never_overwrites(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "old.par").write_text("number_of_processors 2\n")
    with workspace.start("convert", "old.par", *WORDS, *MORE) as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    code, text = workspace.locusts("convert", "old.par", *WORDS, *MORE, "--output", "locusts.toml")
    assert code == 0
    assert "written to locusts.toml" in text
    assert (tmp_path / "locusts.toml").read_bytes() == printed
    assert load(tmp_path / "locusts.toml").settings.outputs == ["out.txt", "more.txt"]
    code, text = workspace.locusts("convert", "old.par", "--output", "locusts.toml")
    assert code == 2
    assert "locusts.toml: it is there already; --force writes over it" in text
    assert (tmp_path / "locusts.toml").read_bytes() == printed
    assert workspace.locusts("convert", "old.par", "--output", "locusts.toml", "--force")[0] == 0
    assert load(tmp_path / "locusts.toml").name == "swarm"
    assert workspace.locusts("convert", "no.par")[0] == 2
    assert workspace.locusts("convert", "old.par", "--output", "no/folder/x.toml")[0] == 2


def test_the_commands_find_what_launch_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path)
    workspace.pairs(3)
    (tmp_path / "in" / "common.txt").write_text("common\n")
    (tmp_path / "old.par").write_text("number_of_processors 2\n")
    locusts_fab.launch(**PARTS, code="s", parf="old.par")
    assert workspace.locusts("convert", "old.par", *WORDS, *MORE[:4], "--output", "locusts.toml")[0] == 0
    code, text = workspace.locusts("status")
    assert code == 0
    assert "3" in text
    assert "finished" in text
    code, text = workspace.locusts("submit")
    assert "nothing to submit" in text
    assert "have changed" not in text
