"""Tasks in a container: what they see is the image's but for what is bound; outputs are found all the same."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

#: A container runtime in miniature: `exec --bind FOLDER IMAGE COMMAND…`. Of the project it shows only the folder.
RUNTIME = """#!/bin/bash
[[ $1 == exec && $2 == --bind && $4 == image ]] || exit 97
bound=$3 hidden=$PROJECT
shift 4
exec unshare -rm --propagation private bash -c '
  bound=$1 hidden=$2 here=$PWD
  shift 2
  exec 9<"$bound" && mount -t tmpfs none "$hidden" && mkdir -p "$bound" || exit 98
  mount --no-canonicalize --bind /proc/self/fd/9 "$bound" && cd "$here" && exec 9<&- || exit 99
  exec "$@"
' bash "$bound" "$hidden" "$@"
"""
SWARM = r"""
[swarms.s]
command = "ls -A \"$PROJECT\" | tee seen; cat f_<id>.txt > part_<id>.x; [[ <id> != 1 ]] || mkdir -p 'a b/c'"
indir = "in"
inputs = ["f_<id>.txt"]
outputs = ["part_*.x", "seen"]
optional_outputs = ["a b/", "log.txt"]

[swarms.s.final]
command = "cat <results>/*/part_*.x | sort > all.txt; ls -A \"$PROJECT\" > seen"
outputs = ["all.txt", "[s]een"]
"""


@pytest.fixture
def runtime(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a container runtime on the PATH."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nobody can make namespaces here")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apptainer").write_text(RUNTIME)
    (tmp_path / "bin/apptainer").chmod(0o700)
    monkeypatch.setenv("PROJECT", str(workspace.folder))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


@pytest.mark.usefixtures("runtime")
def test_patterns_and_a_summary(workspace: Workspace) -> None:
    """The folder of the environment is bound, as docs/config.md says; of the project nothing else is seen."""
    (workspace.folder / "image").touch()
    environment = workspace.folder / ".locusts/here"
    workspace.pairs(3)
    container = f'container = {{ image = "image", options = ["--bind", {json.dumps(str(environment))}] }}\n'
    workspace.write(HERE + container + SWARM)
    code, text = workspace.locusts("run")
    assert code == 0, text
    for number in "012":
        assert workspace.result(f"{number}/part_{number}.x").read_text() == f"{number}\n"
        assert workspace.result(f"{number}/seen").read_text() == ".locusts\n"
    assert workspace.result("1/a b/c").is_dir()
    assert not workspace.result("0/a b").exists()
    assert workspace.result("final/all.txt").read_text() == "0\n1\n2\n"
    assert workspace.result("final/seen").read_text() == ".locusts\n"
    assert (workspace.folder / "in").is_dir()
