"""Several swarms in one config: what is told of all of them together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.workspace import HERE

if TYPE_CHECKING:
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


def test_other_commands_ask_which(workspace: Workspace) -> None:
    workspace.write(HERE + SWARMS)
    code, text = workspace.locusts("collect")
    assert (code, "there are several; choose with --swarm: good, bad, later" in text) == (2, True)
