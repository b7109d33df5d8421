"""Outputs that are patterns, on this machine, from the config to the tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

CONFIG = """
[targets.here]
mode = "local"
slots = 2
[swarms.s]
command = '''
mkdir -p "plots/sub <id>"; echo <id> > "out<id> 1.csv"; echo <id> > 'o$(2)'$'\\n\\xff'.csv
echo <id> > plots/1.png; echo <id> > "plots/sub <id>/x.log"; touch .hidden.csv
[[ <id> != 2 ]] || rm plots/1.png
[[ <id> != 3 ]] || echo more >> in_3.txt
'''
indir = "in"
inputs = ["in_<id>.txt"]
outputs = ["*.csv", "plots/*.png", "**/*.log", "plots/"]
optional_outputs = ["*.txt", "core.*"]
"""


def prepare(workspace: Workspace, config: str = CONFIG) -> None:
    """Make the inputs."""
    (workspace.folder / "in").mkdir()
    for number in (1, 2, 3):
        path = workspace.folder / f"in/in_{number}.txt"
        path.write_text("1\n")
        os.utime(path, (1_000_000_000, 1_000_000_000))
    workspace.write(config)


def rows(workspace: Workspace) -> dict[str, list[tuple[str, str, str]]]:
    """Return output, status and path of the rows of outputs.tsv, by task."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in workspace.table("outputs.tsv"):
        found.setdefault(row["task"], []).append((row["output"], row["status"], row["path"]))
    return found


def test_what_patterns_matched_comes_back_and_is_listed(workspace: Workspace) -> None:
    prepare(workspace)
    code, said = workspace.locusts("run")
    assert (code, "missing output: plots/*.png" in said) == (1, True)
    odd = "o$(2)\n\udcff.csv"
    names = {
        number: [odd, f"out{number} 1.csv", "plots/1.png", f"plots/sub {number}/x.log", "plots"] for number in "123"
    }
    names["3"].append("in_3.txt")
    found = rows(workspace)
    for number in "13":
        assert found[number] == [(name, "present", f"{number}/{name}") for name in names[number]]
        for name in names[number][:-1]:
            assert (workspace.result(number) / name).exists()
    assert found["2"] == [
        ("plots/*.png", "missing", "") if name == "plots/1.png" else (name, "present", f"failed/2/{name}")
        for name in names["2"]
    ]
    assert workspace.result("1/plots/sub 1/x.log").read_text() == "1\n"
    assert workspace.result("3/in_3.txt").read_text() == "1\nmore\n"
    assert not workspace.result("1/in_1.txt").exists()
    assert not workspace.result("1/.hidden.csv").exists()
    assert {task: row["state"] for task, row in workspace.tasks().items()} == {"1": "done", "2": "failed", "3": "done"}


def test_collect_brings_again_what_was_lost_here(workspace: Workspace) -> None:
    prepare(workspace)
    workspace.locusts("run")
    workspace.result("1/out1 1.csv").unlink()
    code, said = workspace.locusts("collect")
    assert (code, "1 tasks collected now" in said or "1 task collected now" in said) == (1, True)
    assert workspace.result("1/out1 1.csv").read_text() == "1\n"


def test_what_another_attempt_matches_takes_the_place_of_what_was_here(workspace: Workspace, tmp_path: Path) -> None:
    gate = tmp_path / "second"
    command = f'if [[ -e "{gate}" ]]; then touch b.csv; else touch a.csv; exit 1; fi'
    prepare(workspace, f"[swarms.s]\ncommand = '''{command}'''\nargs = [['1']]\noutputs = ['*.csv']\n")
    assert workspace.locusts("run")[0] == 1
    assert workspace.result("failed/000001/a.csv").exists()
    gate.touch()
    workspace.locusts("retry")
    workspace.locusts("watch")
    assert workspace.locusts("collect")[0] == 0
    assert rows(workspace) == {"000001": [("b.csv", "present", "000001/b.csv")]}
    assert workspace.result("000001/b.csv").exists()
    assert not workspace.result("failed").exists()


def test_commands_show_patterns_as_they_are_written(workspace: Workspace) -> None:
    prepare(workspace)
    assert "plots/*.png" in workspace.locusts("submit", "--dry-run")[1]
    said = workspace.locusts("try", "--yes")[1]
    assert "out1 1.csv" in said
    assert "/g/" not in said
    said = workspace.locusts("tasks", "--json")[1]
    assert '"*.csv"' in said
    assert "/g" not in said


def test_values_are_literal_in_patterns(workspace: Workspace) -> None:
    args = "args = [['*'], ['?'], ['[a]'], ['a']]"
    command = "touch '*.1.csv' '?.1.csv' '[a].1.csv' a.1.csv"
    prepare(workspace, f'[swarms.s]\ncommand = "{command}"\n{args}\noutputs = ["<arg0>.*.csv"]\n')
    assert workspace.locusts("run")[0] == 0
    assert {task: [row[0] for row in found] for task, found in rows(workspace).items()} == {
        "000001": ["*.1.csv"],
        "000002": ["?.1.csv"],
        "000003": ["[a].1.csv"],
        "000004": ["a.1.csv"],
    }


def test_in_one_folder_no_task_replaces_what_another_left(workspace: Workspace) -> None:
    command = "touch own_<arg0>.csv; echo <arg0> > same.csv; mkdir -p d; echo <arg0> > d/<arg0>.csv; touch tasks.tsv"
    outputs = "['*.csv', 'd/*.csv', '*.tsv']"
    config = f"[swarms.s]\ncommand = '{command}'\nargs = [['1'], ['2'], ['3']]\noutputs = {outputs}\nlayout = 'flat'\n"
    workspace.write(config)
    for words in (["run"], ["collect"], ["collect", "--overwrite"]):
        code, said = workspace.locusts(*words)
        assert (code, "5 outputs could not be brought back" in said) == (1, True)
        found = rows(workspace)
        for number in "123":
            task = f"00000{number}"
            assert (f"own_{number}.csv", "present", f"own_{number}.csv") in found[task]
            assert (f"d/{number}.csv", "present", f"d/{number}.csv") in found[task]
            assert ("tasks.tsv", "error", "") in found[task]
        here = [task for task, found in rows(workspace).items() if ("same.csv", "present", "same.csv") in found]
        assert [f"00000{workspace.result('same.csv').read_text().strip()}"] == here
        assert "another task has put something there" in "".join(row["reason"] for row in workspace.tasks().values())
        assert {row["state"] for row in workspace.tasks().values()} == {"done"}


def test_a_folder_of_one_task_takes_in_nothing_of_another(workspace: Workspace) -> None:
    command = "mkdir d_1 2> /dev/null; mkdir -p d; touch d/<arg0>.csv"
    config = f"[swarms.s]\ncommand = '{command}'\nargs = [['1'], ['2']]\noutputs = ['d*']\nlayout = 'flat'\n"
    workspace.write(config)
    assert workspace.locusts("run")[0] == 1
    assert len(list(workspace.result("d").iterdir())) == 1
    assert sorted(status for found in rows(workspace).values() for _, status, _ in found) == [
        "error", "error", "present", "present",
    ]  # fmt: skip


def test_ten_thousand_matches_come(workspace: Workspace) -> None:
    command = "seq -f '<arg0> file %05g.csv' 10000 | tr '\\\\n' '\\\\0' | xargs -0 touch"
    workspace.write(f"[swarms.s]\ncommand = \"{command}\"\nargs = [['1'], ['2']]\noutputs = ['*.csv']\n")
    assert workspace.locusts("run")[0] == 0
    for number in "12":
        names = [f"{number} file {at:05}.csv" for at in range(1, 10_001)]
        assert rows(workspace)[f"00000{number}"] == [(name, "present", f"00000{number}/{name}") for name in names]
        assert sorted(path.name for path in workspace.result(f"00000{number}").iterdir()) == names


def test_in_a_custom_environment_any_file_of_the_tree_fulfils_a_pattern(workspace: Workspace) -> None:
    (workspace.folder / "tree").mkdir()
    (workspace.folder / "tree/begin.txt").touch()
    lines = ["[swarms.s]", "environment = 'custom'", "root = 'tree'", "in_place = false", "include = ['*']"]
    lines += [
        "command = 'touch <arg0>.csv'",
        "args = [['a'], ['b']]",
        "outputs = ['*.csv']",
        "optional_outputs = ['x*']",
    ]
    workspace.write("\n".join(lines))
    assert workspace.locusts("run")[0] == 0
    assert (workspace.folder / "tree/a.csv").exists()
    table = (workspace.folder / ".locusts/s/outputs.tsv").read_text().splitlines()[1:]
    assert table == ["000001\t*.csv\tpresent\t", "000002\t*.csv\tpresent\t"]


def test_forged_matches_end_nothing_and_lead_nowhere(workspace: Workspace) -> None:
    workspace.write("[swarms.s]\ncommand = 'touch a.csv'\nargs = [['1']]\noutputs = ['*.csv']\n")
    assert workspace.locusts("submit")[0] == 0
    assert workspace.locusts("watch")[0] == 0
    (cache,) = (workspace.folder / ".locusts/here/s/exec/cache").glob("*.tsv")
    honest = cache.read_bytes()
    for forged in (b"../../a.csv", b"/etc/a.csv", b"a.csv//../b.csv", b"b.txt", b"a.csv/x", b"\\x2e\\x2e/a.csv"):
        cache.write_bytes(honest.replace(b"\ta.csv\t", b"\t" + forged + b"\t"))
        workspace.forget()
        workspace.locusts("attach")
        workspace.locusts("collect")
        assert workspace.tasks()["000001"]["state"] == "pending"
        assert not workspace.result("000001").exists()
    cache.write_bytes(honest)
    workspace.forget()
    workspace.locusts("attach")
    assert workspace.locusts("collect")[0] == 0
    assert workspace.result("000001/a.csv").exists()
