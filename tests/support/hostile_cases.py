"""What a hostile host says, and what must hold whatever it says."""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from locusts_fab.tsv import unescape
from tests.support.hostile import Answer, Savings, World, settle
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.forker import Done


#: Whatever comes, no more than this.
MOST_MB = 300
#: What a host may make of the laptop's terminal: nothing.
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

#: After these an honest host is asked once more.
_HEALED = {"status", "collect", "logs a"}

Arms = Callable[[World], Answer | Iterable[Answer] | None]


@dataclass(frozen=True)
class Case:
    """A hostile answer to a command.

    :param name: the answer, in words.
    :param words: the command; or several, with `; ` between, as long as they end well.
    :param arms: returns the answers that are armed, after it has changed files of the host, if it does.
    :param code: how the last one ends.
    :param says: a pattern in what that prints.
    :param kind: where the swarm stands before.
    :param lies: what came differs from what tasks wrote in a way that nobody can see: no results are compared.
    :param heals: whether it is seen that all comes from a host that is honest again.
    :param knobs: values of modules; see `Forker.run`.
    """

    name: str
    words: str
    arms: Arms
    code: int = 3
    says: str = ""
    kind: str = "ran"
    lies: bool = False
    heals: bool = True
    knobs: Mapping[str, object] = field(default_factory=dict)


def gives(*answers: Answer) -> Arms:
    """Return what arms these answers."""
    return lambda _world: answers


def parametrized(*cases: Case) -> pytest.MarkDecorator:
    """Return the decorator that makes a test of each case."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases])


# ---- where a swarm stands ----

_TARGET = """
[targets.far]
mode = "{mode}"
host = "cluster"
root = "{root}"
scheduler = "{scheduler}"
{more}
"""
_SWARM = r"""
[swarms.s]
command = "cat f_<id>.txt | tee out.txt; mkdir -p folder/deep; cp f_<id>.txt folder/deep/x; ln -s deep/x folder/link"
inputs = ["f_<id>.txt"]
outputs = ["out.txt", "folder"]
"""
_TREE_SWARM = r"""
[swarms.s]
environment = "custom"
root = "world"
tree = "tree.fst"
command = "echo <arg0> >> list.txt; echo new > made_<arg0>"
args = [["1"], ["2"], ["3"]]
outdir = "results/s"
"""
_TREE = "#WORKDIR : data\ndata :\n\t**\n"
TASKS = ("a", "b", "c")


def config(world: World, mode: str = "remote", scheduler: str = "none", root: str | None = None) -> str:
    """Return the lines of the target."""
    there = world.folder / "far/root"
    more = f'shared_root = "{there}"' if mode == "remote-shared" else ""
    return _TARGET.format(mode=mode, root=root or there, scheduler=scheduler, more=more)


def _begin(world: World, target: str, swarm: str = _SWARM) -> None:
    inputs = {f"project/f_{name}.txt": f"{name}\n" for name in TASKS}
    tree = {
        "project/tree.fst": _TREE,
        "project/world/data/list.txt": "",
        "project/world/data/sub/old.txt": "old\n",
        "project/world/private/secret.txt": "not for tasks\n",
        "project/world/.git/config": "[core]\n",
    }
    settle(world, {"project/locusts.toml": target + swarm, **inputs, **tree})


def _end(world: World) -> None:
    """Submit, and wait until nothing runs any more; nobody has looked since."""
    done = world.run("submit")
    assert done.code == 0, done
    wait_until(lambda: list(world.environment.glob("exec/beats/*.end")), "the end of the manager")


def bring(kind: str) -> Callable[[World], None]:
    """Return what brings a swarm to where it stands: `ran`, and not looked at since; `fresh`; `shared tree`; …."""
    return lambda world: _bring(world, kind)


def _bring(world: World, kind: str) -> None:
    mode = "remote-shared" if kind.startswith("shared") else "remote"
    _begin(
        world,
        config(world, mode, "slurm" if kind == "slurm" else "none"),
        _TREE_SWARM if kind.endswith("tree") else _SWARM,
    )
    if kind == "slurm":
        assert world.run("submit").code == 0
    elif kind != "fresh":
        _end(world)
    assert world.disarm() == set()


def lose_state(world: World) -> None:
    """Let the laptop know nothing of the swarm."""
    for path in world.state.iterdir():
        path.unlink()


def sandbox(world: World, task: str) -> Path:
    """Return the sandbox of a task."""
    (found,) = world.environment.glob(f"work/*/{TASKS.index(task) + 1}")
    return found


def cache(world: World) -> Path:
    """Return the file with the records of the one manager."""
    (found,) = world.environment.glob("exec/cache/*.tsv")
    return found


# ---- what holds ----


def play(case: Case, savings: Savings) -> None:
    """Let the host give its answer, and see that nothing comes of it."""
    world = savings.take(case.kind, bring(case.kind))
    if case.words.startswith("attach"):
        lose_state(world)
    found = case.arms(world)
    answers = [found] if isinstance(found, Answer) else [*(found or ())]
    before, known = world.victims(), world.knobs.copy()
    world.knobs |= case.knobs
    world.arm(*answers)
    try:
        for words in case.words.split("; "):
            done = world.run(words)
            if done.code != 0:
                break
    finally:
        sprung = world.disarm()
        world.knobs.clear()
        world.knobs |= known
    assert bool(sprung) == bool(answers), f"nobody asked: {done}"
    check(case, world, done)
    after = world.victims()
    touched = {path: after.get(path) for path in {*before, *after} if before.get(path) != after.get(path)}
    assert not touched, f"{touched}, where it was {[before.get(path) for path in touched]}"
    if done.code == 3 and answers and case.heals and case.kind == "ran" and case.words in _HEALED:
        heals(world)


def check(case: Case, world: World, done: Done) -> None:
    """See that a command ended as one does, and that what it brought is right."""
    assert not done.is_late, f"it hangs: {done}"
    assert not re.search(r"Traceback|this should not happen|MemoryError", done.printed), done
    assert _CONTROL.search(done.printed) is None, done
    assert done.code == case.code, done
    assert re.search(case.says, done.printed), done
    assert done.code != 3 or "cluster" in done.printed or _names_a_path(world, done), done
    assert done.peak_mb < MOST_MB, done
    _check_links(world)
    if not case.lies:
        check_results(world)


def _names_a_path(world: World, done: Done) -> bool:
    """Return whether a message says which file or folder of this machine it is about."""
    return f"{world.environment}/" in done.printed or str(world.outdir) in done.printed


def _check_links(world: World) -> None:
    """See that nothing among the results leads elsewhere, and that there is nothing but files, folders and links."""
    root = os.path.realpath(world.outdir)
    for above, folders, files in os.walk(world.outdir):
        for name in (*folders, *files):
            path = os.path.join(above, name)  # noqa: PTH118 - as os.walk gives it
            assert os.path.realpath(path).startswith(f"{root}/")
            assert stat.S_IFMT(os.lstat(path).st_mode) in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}


def check_results(world: World) -> None:
    """See that what the tables call present is what the tasks wrote."""
    table = world.outdir / "outputs.tsv"
    if not table.exists():
        return
    with table.open(encoding="utf-8", newline="\n") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["status"] == "present":
                place = world.outdir / unescape(row["path"])
                inner = place / "deep/x" if row["output"] == "folder" else place
                assert inner.read_text() == f"{row['task']}\n"
                assert row["output"] != "folder" or os.readlink(place / "link") == "deep/x"  # noqa: PTH115 - its text


def heals(world: World) -> None:
    """See that an honest host is believed again, and that all of its results come."""
    done = world.run("collect")
    assert done.code == 0, done
    check_results(world)
    rows = (world.outdir / "outputs.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) == 2 * len(TASKS)
    assert all("\tpresent\t" in row for row in rows)
