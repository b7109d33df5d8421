"""A small world that twenty tasks change in every way there is, and what must have become of it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from locusts_fab.tsv import unescape

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

TASKS = 20
HOSTILE = ("new\nline", "quo\"te's", "$(touch canary)", "-dash", "üñí", "per%s", " blank ", "a:b#c!")

SCRIPT = r"""
set -e
n=$1
echo "$n" >>journal.txt
echo "made by $n" >"existing/made_$n"
mkdir -p "fresh/$n/deep"
echo "$n" >"fresh/$n/deep/file"
if [ "$n" = 7 ]; then rm doomed.txt; fi
if [ "$n" = 8 ]; then echo theirs >>contested.txt; fi
if [ "$n" = 9 ]; then
  for file in hostile/*; do echo more >>"$file"; done
  for file in hostile/*; do echo new >"$file.new"; done
  ln -s ../journal.txt existing/link
  ln -s /etc/passwd existing/evil
fi
until eval "$HOLD"; do sleep 0.1; done
"""

CONFIG = """
[swarms.s]
target = "{target}"
environment = "custom"
root = "world"
tree = "tree.fst"
command = "bash ../scripts/change.sh <arg0>"
args = {args}
outdir = "results/s"
env = {{ HOLD = {hold} }}
"""

TREE = """#WORKDIR : data
scripts : **
data :
\t**
\t! *.skip
"""


def make_world(workspace: Workspace, config: str, target: str, hold: str = "true") -> Path:
    """Make a world in a user's folder, and the config for it.

    :param hold: bash; no task ends before it succeeds.
    """
    args = [[str(number)] for number in range(TASKS)]
    workspace.write(config + CONFIG.format(target=target, args=args, hold=json.dumps(hold.replace("$", "$$"))))
    (workspace.folder / "tree.fst").write_text(TREE)
    world = workspace.folder / "world"
    for name in ("scripts", "data/existing", "data/hostile", "data/empty", "outside"):
        (world / name).mkdir(parents=True)
    (world / "scripts" / "change.sh").write_text(SCRIPT)
    for name in ("journal.txt", "doomed.txt", "contested.txt", "untouched.txt", "left.skip"):
        (world / "data" / name).write_text("start\n")
    for name in HOSTILE:
        (world / "data" / "hostile" / name).write_text("start\n")
    (world / "data" / "old-link").symlink_to("untouched.txt")
    (world / "data" / "way-out").symlink_to("../outside")
    (world / "outside" / "secret").write_text("not yours")
    return world


def modified(workspace: Workspace) -> dict[str, str]:
    """Read modified.tsv: what became of each path."""
    lines = os.fsdecode(workspace.result("modified.tsv").read_bytes()).split("\n")[1:-1]
    return {unescape(path): what for what, path, _ in (line.split("\t") for line in lines)}


def expected_changes() -> dict[str, str]:
    """Return what the tasks do, as modified.tsv names it, if nobody interferes."""
    found = {"data/journal.txt": "changed", "data/doomed.txt": "removed", "data/contested.txt": "changed"}
    for number in range(TASKS):
        found[f"data/existing/made_{number}"] = "created"
        found[f"data/fresh/{number}/deep/file"] = "created"
    for name in HOSTILE:
        found[f"data/hostile/{name}"] = "changed"
        found[f"data/hostile/{name}.new"] = "created"
    return {**found, "data/existing/link": "created", "data/existing/evil": "created"}


def check_contested(workspace: Workspace, world: Path, target: str) -> None:
    """See that both sides of contested.txt are there, if `mine` was written to it here meanwhile."""
    assert modified(workspace) == {**expected_changes(), "data/contested.txt": "conflict"}
    assert (world / "data" / "contested.txt").read_text() == "mine\n"
    assert (world / "data" / f"contested.txt.from-{target}").read_text() == "start\ntheirs\n"


def check_nothing_moves_again(workspace: Workspace, world: Path) -> None:
    """See that a second collect makes no file of the tree anew."""
    before = {path: path.lstat().st_ino for path in world.rglob("*")}
    assert workspace.locusts("collect")[0] == 0
    assert {path: path.lstat().st_ino for path in world.rglob("*")} == before, "a second collect moves nothing"


def check_tree(world: Path, *, in_place: bool) -> None:
    """See that the local tree holds what the tasks made of it."""
    data = world / "data"
    assert sorted(data.joinpath("journal.txt").read_text().split()) == sorted(["start", *map(str, range(TASKS))])
    for number in range(TASKS):
        assert (data / "existing" / f"made_{number}").read_text() == f"made by {number}\n"
        assert (data / "fresh" / str(number) / "deep" / "file").read_text() == f"{number}\n"
    for name in HOSTILE:
        assert (data / "hostile" / name).read_text() == "start\nmore\n"
        assert (data / "hostile" / f"{name}.new").read_text() == "new\n"
    assert (data / "existing" / "link").readlink().as_posix() == "../journal.txt"
    assert os.path.lexists(data / "existing" / "evil") == in_place
    assert (data / "old-link").readlink().as_posix() == "untouched.txt"
    assert (world / "outside" / "secret").read_text() == "not yours"
    assert [path.name for path in (world / "outside").iterdir()] == ["secret"]
    assert not list(world.rglob("canary"))
