"""Several swarms in one config: what is told of all of them together."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from locusts_fab.layout import is_of_state
from tests.support.managers import holding
from tests.support.processes import wait_until
from tests.support.workspace import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

SWARMS = """
[swarms.good]
command = "echo <arg0>"
args = [["a"], ["b"]]

[swarms.bad]
command = "exit <arg0>"
args = [["0"], ["3"]]

[swarms.later]
command = "echo <arg0>"
args = [["a"]]
"""


def test_status_tells_of_all_swarms_and_the_gravest_exit_code(workspace: Workspace) -> None:
    workspace.write(HERE + SWARMS)
    code, text = workspace.locusts("status")
    assert (code, [line.split()[0] for line in text.splitlines()]) == (0, ["good", "bad", "later"])
    assert workspace.locusts("run", "--swarm", "good")[0] == 0
    assert workspace.locusts("run", "--swarm", "bad")[0] == 1
    code, text = workspace.locusts("status")
    good, bad, later = text.splitlines()
    assert code == 1, text
    assert good == "good on here: finished, 2 of 2 done"
    assert bad == "bad on here: finished, 1 of 2 done, 1 failed"
    assert later.startswith("later on here: planned, 0 of 1 done")
    code, text = workspace.locusts("status", "--json")
    found = json.loads(text)["swarms"]
    assert (code, [each["swarm"] for each in found], found[1]["tasks"]["failed"]) == (1, ["good", "bad", "later"], 1)
    assert workspace.locusts("status", "--swarm", "good")[1].startswith("good on here: finished, 2 of 2 done\ntook ")


def test_one_that_cannot_be_asked_hides_no_other(workspace: Workspace) -> None:
    workspace.write(HERE + SWARMS)
    assert workspace.locusts("run", "--swarm", "good")[0] == 0
    (workspace.folder / ".locusts/good/ledger.sqlite").write_bytes(b"no ledger" * 1000)
    code, text = workspace.locusts("status")
    assert code == 2, text
    assert "good on here: " in text
    assert "bad on here: planned" in text
    found = json.loads(workspace.locusts("status", "--json")[1])["swarms"]
    assert ["error" in each for each in found] == [True, False, False]


STAGES = """
[swarms.last]
command = "cat <shared>first/a/n.txt"
args = [["x"]]
shared = { first = "results/first" }
after = ["first"]

[swarms.apart]
command = "echo <arg0>"
args = [["x"]]

[swarms.first]
command = "[[ -e go ]]; echo <n> > n.txt"
sweep = { n = ["a", "b"] }
id = "<n>"
inputs = ["<n>"]
outputs = ["n.txt"]
"""


def test_run_takes_all_swarms_in_order(workspace: Workspace) -> None:
    workspace.write(HERE + STAGES.replace("[[ -e go ]]; ", ""))
    (workspace.folder / "a").touch()
    (workspace.folder / "b").touch()
    code, text = workspace.locusts("run")
    assert code == 0, text
    begun = [line.split(",")[0] for line in text.splitlines() if line.endswith("on here:")]
    assert begun == ["swarm apart", "swarm first", "swarm last"]
    assert [workspace.tasks(name)[task]["state"] for name, task in (("first", "a"), ("last", "000001"))] == ["done"] * 2
    code, text = workspace.locusts("run")
    assert (code, text.count("nothing to submit")) == (0, 3), text


def test_what_is_not_done_keeps_those_after_it_from_running(workspace: Workspace) -> None:
    workspace.write(HERE + STAGES.replace("[[ -e go ]]", "[[ <n> == a ]]"))
    (workspace.folder / "a").touch()
    (workspace.folder / "b").touch()
    code, text = workspace.locusts("run", "--swarm", "last")
    assert (code, "first: it was never run" in text, "`locusts run --swarm first`" in text) == (1, True, True), text
    code, text = workspace.locusts("run")
    assert code == 1, text
    assert "swarm last comes after first, of which not every task is done: first: 1 task missing: b (failed)" in text
    assert workspace.tasks("apart")["000001"]["state"] == "done"
    assert not workspace.result("tasks.tsv", "last").exists()
    for command in ("submit", "retry"):
        code, text = workspace.locusts(command, "--swarm", "last")
        assert (code, "b (failed)" in text) == (1, True), text
    code, text = workspace.locusts("run", "--swarm", "last", "--force")
    assert (code, workspace.tasks("last")["000001"]["state"]) == (0, "done"), text


def test_a_task_that_came_to_the_config_since_is_missing(workspace: Workspace) -> None:
    config = HERE + STAGES.replace("[[ -e go ]]; ", "")
    workspace.write(config)
    for name in "abc":
        (workspace.folder / name).touch()
    assert workspace.locusts("run", "--swarm", "first")[0] == 0
    workspace.write(config.replace('["a", "b"]', '["a", "b", "c"]'))
    code, text = workspace.locusts("submit", "--swarm", "last")
    assert (code, "1 task missing: c (new)" in text) == (1, True), text
    workspace.write(config)
    assert workspace.locusts("submit", "--swarm", "last")[0] == 0


def test_what_has_ended_since_somebody_looked_is_seen(workspace: Workspace) -> None:
    workspace.write(HERE + STAGES.replace("[[ -e go ]]; ", ""))
    (workspace.folder / "a").touch()
    (workspace.folder / "b").touch()
    assert workspace.locusts("submit", "--swarm", "first")[0] == 0
    cache = workspace.folder / ".locusts/here/first/exec/cache"
    wait_until(lambda: cache.is_dir() and any(cache.iterdir()), "a manager")
    wait_until(lambda: sum(line[0] == "ended" for line in workspace.records("first")) == 2, "the end of both tasks")
    text = workspace.locusts("submit", "--swarm", "last")[1]
    assert "there is no" in text  # it gets as far as that: nothing is collected


def test_a_choice_of_tasks_is_about_one_swarm(workspace: Workspace) -> None:
    workspace.write(HERE + SWARMS)
    code, text = workspace.locusts("run", "--only", "000001")
    assert (code, "choose with --swarm: good, bad, later" in text) == (2, True), text


def test_ctrl_c_stops_the_whole(workspace: Workspace, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    workspace.write(HERE + SWARMS.replace('"echo <arg0>"', f"'{holding(gate)}'", 1))
    with workspace.start("run") as process:
        wait_until(lambda: any(gate.iterdir()), "the start of a task")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, b"swarm bad" in err) == (130, False), err
    (gate / "go").touch()
    assert workspace.locusts("watch", "--swarm", "good")[0] == 0


def test_other_commands_ask_which(workspace: Workspace) -> None:
    workspace.write(HERE + SWARMS)
    code, text = workspace.locusts("collect")
    assert (code, "there are several; choose with --swarm: good, bad, later" in text) == (2, True)


def test_a_last_task_that_is_not_done_is_missing_too(workspace: Workspace) -> None:
    """The one after all others counts as any."""
    stages = """
[swarms.one]
command = "echo <arg0>"
args = [["a"]]
[swarms.one.final]
command = "{command}"
[swarms.two]
command = "true <arg0>"
args = [["a"]]
after = ["one"]
"""
    workspace.write(HERE + stages.format(command="false"))
    code, text = workspace.locusts("run")
    assert (code, "1 task missing: final (failed)" in text) == (1, True), text
    workspace.write(HERE + stages.format(command="true"))
    assert workspace.locusts("retry", "--swarm", "one")[0] == 0
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert "2 of 2 done" in text


TOGETHER = """
[targets.test]
mode = "local"
slots = 2

[swarms.test]
command = "echo <arg0> > out.txt"
args = [["x"], ["y"]]
outputs = ["out.txt"]

[swarms.stage-2]
command = "echo <arg0> > out.txt"
args = [["x"], ["y"]]
outputs = ["out.txt"]

[swarms.unarchived]
command = "echo <arg0> > out.txt"
args = [["x"]]
outputs = ["out.txt"]
"""


def test_a_swarm_and_its_target_may_have_one_name(workspace: Workspace) -> None:
    """The state of the one and the environments of the other are in one folder; nothing of another swarm goes."""
    workspace.write(TOGETHER)
    others = ("stage-2", "unarchived")
    for name in others:
        assert workspace.locusts("submit", "--swarm", name)[0] == 0
        assert workspace.locusts("watch", "--swarm", name)[0] == 0
    assert workspace.locusts("run", "--swarm", "test")[0] == 0
    assert workspace.locusts("clean", "--swarm", "test")[0] == 0
    for name in others:
        code, text = workspace.locusts("collect", "--swarm", name)
        assert code == 0, text
        assert workspace.result("000001/out.txt", name).read_text() == "x\n"
    workspace.write(TOGETHER.replace("[swarms.unarchived]", "[swarms.lock]"))
    code, text = workspace.locusts("status")
    assert (code, "the place for swarm lock" in text) == (2, True), text


def test_where_the_environments_are_among_the_state_only_they_are_removed(workspace: Workspace) -> None:
    workspace.write(TOGETHER.replace("slots = 2", 'slots = 2\nroot = ".locusts"'))
    assert workspace.locusts("run", "--swarm", "test")[0] == 0
    assert workspace.locusts("clean", "--swarm", "test")[0] == 0
    found = [path.name for path in (workspace.folder / ".locusts/test").iterdir()]
    assert ("ledger.sqlite" in found, "exec" in found, "work" in found) == (True, False, False)
    code, text = workspace.locusts("run", "--swarm", "test")
    assert (code, "nothing to submit" in text) == (0, True), text


def test_all_that_is_kept_of_a_swarm_has_names_that_are_known(workspace: Workspace) -> None:
    """No swarm whose environment would have one of these names is let in there."""
    (workspace.folder / "tree").mkdir()
    custom = "environment = 'custom'\nroot = 'tree'\nin_place = false\ninclude = ['*']\n"
    swarm = (
        "[swarms.s]\ncommand = 'echo <arg0>; touch <arg0>; exit <arg0>'\nargs = [['0'], ['3']]\noutputs = ['<arg0>']\n"
    )
    workspace.write(HERE + swarm + custom)
    assert workspace.locusts("run")[0] == 1
    found = {path.name for path in (workspace.folder / ".locusts/s").iterdir()}
    assert {"lock", "ledger.sqlite", "replica.tsv", "tasks.tsv", "logs"} <= found
    assert [name for name in found if not is_of_state(name, has_results=True)] == []
