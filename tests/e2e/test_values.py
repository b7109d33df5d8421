"""A task is its values: swarms that grow and shrink, as the program runs them, also from another laptop."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.tsv import unescape
from tests.support.laptops import Laptop

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from tests.support.workspace import Workspace

TARGET = "[targets.here]\nmode = 'local'\nslots = 2\nroot = {root!r}\n"


def grid(folder: Path, sweep: str, more: str = "") -> Swarm:
    """Write a config with a sweep, and load it."""
    folder.mkdir(exist_ok=True)
    text = f"""
command = "echo <temperature> <seed> > out.txt; echo x >> {folder.parent}/ran"
outputs = ["out.txt"]
sweep = {sweep}
{more}"""
    target = TARGET.format(root=str(folder.parent / "root"))
    (folder / "locusts.toml").write_text(f"{target}[swarms.s]{text}", encoding="utf-8")
    loaded: Swarm = locusts_fab.load(folder / "locusts.toml")
    return loaded


def results(folder: Path) -> dict[str, str]:
    """Return what each task wrote, by its id."""
    lines = (folder / "results/s/outputs.tsv").read_text().splitlines()[1:]
    rows = [list(map(unescape, line.split("\t"))) for line in lines]
    return {row[0]: (folder / "results/s" / row[3]).read_text().strip() for row in rows}


def runs(folder: Path) -> int:
    """Return how many tasks have run so far."""
    return len((folder.parent / "ran").read_text().splitlines())


def run(swarm: Swarm) -> list[str]:
    """Run a swarm, and return what is said of it."""
    submitted = locusts_fab.submit(swarm)
    locusts_fab.collect(swarm, wait=True)
    return submitted.notes


def test_a_sweep_that_grows_runs_the_new_combinations_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    run(grid(folder, "{ temperature = [280, 300], seed = [1, 2, 3] }"))
    before = results(folder)
    assert run(grid(folder, "{ temperature = [280, 300], seed = [0, 1, 2, 3] }")) == []
    assert runs(folder) == 8
    assert results(folder) == {**before, "000007": "280 0", "000008": "300 0"}
    (note,) = run(grid(folder, "{ temperature = [300], seed = [0, 1] }"))
    assert note.startswith("6 tasks are no longer in the config (000001, 000002, 000003, 000005, 000006, and 1 more)")
    assert runs(folder) == 8


def test_files_and_rows_that_grow_run_the_new_combinations_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    more = """inputs = ["r/<s>_<l>.fq", "m/<s>.json", "<temperature>.cfg"]\nindir = "in"\n"""

    def fill(*names: str) -> None:
        for name in names:
            (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "in" / name).write_text(f"{name}\n")

    def crossed(sweep: str) -> Swarm:
        grid(folder, sweep, more)
        config = folder / "locusts.toml"
        command = "cat r/<s>_<l>.fq m/<s>.json <temperature>.cfg > out.txt; echo "
        config.write_text(config.read_text().replace("echo <temperature> <seed> > out.txt; echo ", command))
        loaded: Swarm = locusts_fab.load(config)
        return loaded

    fill("r/S 1_L1.fq", "r/S 1_L2.fq", "m/S 1.json", "280.cfg")
    run(crossed("{ temperature = [280], seed = [1] }"))
    assert results(folder) == {f"S 1_{lane}_000001": f"r/S 1_{lane}.fq\nm/S 1.json\n280.cfg" for lane in ("L1", "L2")}
    fill("r/S0_L1.fq", "m/S0.json", "270.cfg")
    assert run(crossed("{ temperature = [270, 280], seed = [1] }")) == []
    assert runs(folder) == 6
    assert results(folder)["S0_L1_000001"] == "r/S0_L1.fq\nm/S0.json\n280.cfg"
    assert results(folder)["S 1_L2_000002"] == "r/S 1_L2.fq\nm/S 1.json\n270.cfg"
    header, *rows = (folder / "results/s/tasks.tsv").read_text().splitlines()
    assert header.split("\t")[-4:] == ["s", "l", "temperature", "seed"]
    assert "S0\tL1\t280\t1" in "\n".join(rows)
    shutil.rmtree(folder / ".locusts")
    swarm = crossed("{ temperature = [280, 270], seed = [1, 2] }")
    locusts_fab.attach(swarm)
    run(swarm)
    assert runs(folder) == 12
    assert results(folder)["S0_L1_000002"] == "r/S0_L1.fq\nm/S0.json\n270.cfg"


def test_absolute_inputs_are_run_with_and_their_changes_are_seen(tmp_path: Path) -> None:
    folder, far = tmp_path / "project", tmp_path / "far"
    far.mkdir()
    folder.mkdir()
    for name in ("it's.x", "b.x"):
        (far / name).write_text(f"{name}\n")
    config = folder / "locusts.toml"
    config.write_text(
        TARGET.format(root=str(tmp_path / "root"))
        + f'[swarms.s]\ncommand = "cat <n>.x all > out"\ninputs = ["{far}/<n>.x", "all"]\noutputs = ["out"]\n'
    )
    (folder / "all").write_text("all\n")
    swarm = locusts_fab.load(config)
    assert run(swarm) == []
    assert results(folder) == {"b": "b.x\nall", "it's": "it's.x\nall"}
    (far / "b.x").write_text("changed\n")
    (note,) = run(swarm)
    assert "1 done task has changed" in note
    locusts_fab.submit(swarm, redo_changed=True)
    locusts_fab.collect(swarm, wait=True)
    assert results(folder) == {"b": "changed\nall", "it's": "it's.x\nall"}


@pytest.mark.parametrize("values", ["known", "unknown"])
def test_another_laptop_knows_which_task_is_which(tmp_path: Path, values: str) -> None:
    folder, other = tmp_path / "project", tmp_path / "other"
    sweep = "{ temperature = [280, 300], seed = [1, 2] }"
    run(grid(folder, sweep))
    shutil.rmtree(folder)
    if values != "known":  # as an older version left the target
        for file in (tmp_path / "root/s/exec/plan").glob("*.values"):
            file.unlink()
    sweep = "{ temperature = [280, 300], seed = [0, 1, 2] }"
    locusts_fab.attach(grid(other, sweep))
    notes = run(grid(other, sweep))
    found = results(other)
    assert found["000001"] == "280 1"
    assert (found["000004"], runs(other)) == ("300 2", 6)
    assert notes == []
    assert len(set(found.values())) == 6


def test_rows_that_were_put_into_the_middle(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "project", "[targets.here]\nmode = 'local'\nslots = 2")
    laptop.run(laptop.swarm(["a", "c"]))
    laptop.run(laptop.swarm(["a", "b", "c", "c"]))
    assert laptop.results() == {"000001": "a", "000002": "c", "000003": "b", "000004": "c"}


#: Sources of tasks that write their values, and an edit each by which others come between them.
GROWING = {
    "table": ("args_file = 'grid.csv'", "sed -i '2a 5,b' grid.csv"),
    "table turned round": (
        "args_file = 'grid.csv'",
        "{ head -1 grid.csv; echo 5,b; tail -n +2 grid.csv | tac; } > g; mv g grid.csv",
    ),
    "columns": ("args_file = 'grid.csv'", "printf 's,t\\na,1\\nb,5\\nc,2\\n' > grid.csv"),
    "second name": ("sweep = { t = [1, 2], s = ['a'] }", "sed -i \"s/'a'/'_', 'a'/\" locusts.toml"),
    "first name": ("sweep = { t = [1, 2], s = ['a'] }", "sed -i 's/1, 2/0, 1, 2/' locusts.toml"),
}


@pytest.mark.parametrize(("source", "edit"), GROWING.values(), ids=GROWING)
def test_what_is_done_keeps_its_number_and_its_meaning(workspace: Workspace, source: str, edit: str) -> None:
    (workspace.folder / "grid.csv").write_text("t,s\n1,a\n2,c\n")
    workspace.write(
        f"[swarms.s]\ncommand = 'echo <t> <s> | tee -a \"<shared>ran\" > out.txt'\n{source}\n"
        "outputs = ['out.txt']\nshared = { ran = 'ran' }\n"
    )
    (workspace.folder / "ran").touch()
    assert workspace.locusts("run")[0] == 0
    before = {task: (row["t"], row["s"]) for task, row in workspace.tasks().items()}
    subprocess.run(["bash", "-c", edit], cwd=workspace.folder, check=True)
    code, text = workspace.locusts("run")
    assert (code, "changed" in text) == (0, False), text
    rows = workspace.tasks()
    meant = {task: (row["t"], row["s"]) for task, row in rows.items()}
    assert {task: meant[task] for task in before} == before
    assert {task: workspace.result(f"{task}/out.txt").read_text() for task in rows} == {
        task: f"{t} {s}\n" for task, (t, s) in meant.items()
    }
    ran = (workspace.folder / "ran").read_text().splitlines()
    assert (len(ran), len(set(ran))) == (len(rows), len(rows)), "each combination ran once"


def test_commands_that_were_put_into_the_middle(workspace: Workspace) -> None:
    commands = workspace.folder / "commands.txt"
    commands.write_text("echo a\necho c\n")
    workspace.write("[swarms.s]\ncommand_file = 'commands.txt'\n")
    assert workspace.locusts("run")[0] == 0
    commands.write_text("echo a\necho b\necho c\n")
    code, text = workspace.locusts("run")
    assert (code, "submitted 1 of 3 tasks" in text) == (0, True), text
    rows = workspace.tasks()
    assert {task: row["command"] for task, row in rows.items()} == {
        "000001": "echo a", "000002": "echo c", "000003": "echo b",
    }  # fmt: skip
    assert [workspace.result(f"logs/{task}.log").read_text() for task in rows] == ["a\n", "c\n", "b\n"]
