"""The scripts of `templates/remote` that start managers, and read what managers said last."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.shell.scripts import remote_script, templates_folder
from tests.support.disks import small_disk
from tests.support.environments import ID, founded, reserved
from tests.support.processes import await_end

if TYPE_CHECKING:
    import pytest

    from locusts_fab.layout import Environment
    from tests.support.remote_scripts import Run

FOLDER = templates_folder() / "remote"


# ---------------------------------------------------------------------------------------------------------------------
# What they start finds the user's variables


def words_of(name: str) -> list[str]:
    """List all words of a script: what its variables are called, but for those that it sets apart, and more."""
    return sorted({word.removeprefix("my_") for word in re.findall(r"[a-z]\w*", remote_script(name))} - {""})


def seen_in(path: Path) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in path.read_text().split("\0") if entry)


def test_a_manager_inherits_what_the_user_exports(
    run: Run, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of("start_detached")
    assert {"environment", "submission", "manager"} <= set(words)
    for word in words:
        monkeypatch.setenv(word, "the user's")
    start = Path(environment.absolute("exec/start.sh"))
    start.write_text('env -0 >exec/seen\n: >"exec/beats/$1-x"\n')
    reserved(environment, 1, "token")
    assert run("start_detached", environment.root, ID, "1", "1-0", "token").exit_status == 0
    await_end(int(Path(environment.absolute("exec/started.1/pid")).read_text()))
    seen = seen_in(Path(environment.absolute("exec/seen")))
    assert {word: seen.get(word) for word in words} == dict.fromkeys(words, "the user's")


def test_a_job_inherits_what_the_user_exports(
    run: Run, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of("slurm_start")
    for word in words:
        monkeypatch.setenv(word, "the user's")
    (tmp_path / "bin").mkdir()
    for name, does in {"sbatch": f"env -0 >'{tmp_path}/seen'; echo 12", "scontrol": "echo 'MaxArraySize = 2'"}.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    reserved(environment, 1, "locusts-cafe")
    result = run("slurm_start", environment.root, ID, "1", "3", "locusts-cafe")
    assert (result.exit_status, result.stdout) == (0, b"12\n")
    seen = seen_in(tmp_path / "seen")
    assert {word: seen.get(word) for word in words} == dict.fromkeys(words, "the user's")


# ---- last_words ----


def test_the_last_words_of_whoever_said_something(run: Run, environment: Environment) -> None:
    logs = Path(environment.absolute("exec/logs"))
    (logs / "1-0.out").touch()
    (logs / "1-1.out").write_text("".join(f"line {number}\n" for number in range(9)))
    (logs / "12-0.out").write_text("another submission\n")
    assert run("last_words", environment.root, "1").text == "1-1.out\n" + "".join(
        f"line {number}\n" for number in range(4, 9)
    )
    assert run("last_words", environment.root, "12").text == "12-0.out\nanother submission\n"


def test_nobody_said_anything(run: Run, environment: Environment, tmp_path: Path) -> None:
    assert run("last_words", environment.root, "1").text == "\n"
    assert list(Path(environment.absolute("exec/logs")).iterdir()) == []
    nowhere = run("last_words", str(tmp_path / "nowhere"), "1")
    assert (nowhere.exit_status, nowhere.text) == (0, "")


def test_a_line_without_an_end_is_cut_off(run: Run, environment: Environment) -> None:
    Path(environment.absolute("exec/logs/1-0.out")).write_text("x" * 100_000)
    assert run("last_words", environment.root, "1").text == "1-0.out\n" + "x" * 2000


def test_a_disk_that_is_full_is_said_to_be(run: Run, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        environment = founded(disk / "s")
        with contextlib.suppress(OSError), (disk / "much").open("wb") as file:
            file.write(b"x" * 100_000)
        assert "No space left on device" in run("last_words", environment.root, "1").text
