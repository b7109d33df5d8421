"""A task that comes after all others, as users see it; whatever is killed, it is done once and right."""

from __future__ import annotations

import random
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_kills import kill_tree
from tests.support.managers import at_work, holding
from tests.support.processes import wait_until
from tests.support.workspace import COPY, HERE, Workspace

if TYPE_CHECKING:
    from pathlib import Path

SUM = """
[swarms.s.final]
command = "{command}cat <results>/*/out_*.txt | sort -n > all.txt"
outputs = ["all.txt"]
"""
CONFIG = HERE + COPY + SUM.format(command="")


def summed(workspace: Workspace, count: int) -> None:
    """See that the summary is here, and that it is right."""
    assert workspace.result("final/all.txt").read_text().split() == [str(number) for number in range(count)]
    assert workspace.tasks()["final"]["state"] == "done"


def held_sum(gate: Path) -> str:
    """Return the table of a summary that waits at a gate."""
    held = SUM.format(command="X; ").replace('"X; ', "'''" + holding(gate) + "; ")
    return held.replace('all.txt"\nout', "all.txt'''\nout")


def of_final(workspace: Workspace, kind: str) -> list[list[str]]:
    """Return the records of a kind of the last task."""
    last = max(int(fields[2]) for fields in workspace.records() if fields[0] in {"began", "ended"})
    return [fields for fields in workspace.records() if fields[0] == kind and int(fields[2]) == last]


def test_a_summary(workspace: Workspace) -> None:
    workspace.pairs(30)
    workspace.write(CONFIG)
    code, text = workspace.locusts("run")
    assert code == 0, text
    assert "31 of 31 done" in text
    summed(workspace, 30)
    assert workspace.result("7/out_7.txt").exists()
    code, text = workspace.locusts("run")
    assert (code, "nothing to submit" in text) == (0, True)
    assert len(of_final(workspace, "began")) == 1


def brought(workspace: Workspace, end: str) -> tuple[int, list[str]]:
    """Run a swarm of which only the summary comes back; return the exit code, and what is among the results.

    :param end: what each task does at last; all of them have said something.
    """
    workspace.pairs(5)
    loud = COPY.replace(' > out_<id>.txt"', f' > out_<id>.txt; echo said; {end}"')
    workspace.write(HERE + loud + "collect = 'final'\n" + SUM.format(command="") + "when = 'ended'\n")
    code, _ = workspace.locusts("run")
    return code, sorted(str(path.relative_to(workspace.result("."))) for path in workspace.result(".").rglob("*"))


def test_nothing_else_comes_back(workspace: Workspace) -> None:
    code, found = brought(workspace, "true")
    assert code == 0
    assert found == ["final", "final/all.txt", "logs", "outputs.tsv", "tasks.tsv"]
    assert {row["status"] for row in workspace.table("outputs.tsv")} == {"present"}
    assert [row["path"] for row in workspace.table("outputs.tsv") if row["path"]] == ["final/all.txt"]
    code, text = workspace.locusts("collect")
    assert (code, "collected now" in text) == (0, False)
    assert workspace.locusts("check")[0] == 0


def test_logs_of_what_failed_come_all_the_same(workspace: Workspace) -> None:
    code, found = brought(workspace, "[[ <id> != 3 ]]")
    assert code == 1
    assert found == ["final", "final/all.txt", "logs", "logs/3.log", "outputs.tsv", "tasks.tsv"]
    assert workspace.result("final/all.txt").read_text().split() == ["0", "1", "2", "4"]


def test_failures_and_a_retry(workspace: Workspace) -> None:
    workspace.pairs(5)
    config = HERE + COPY.replace("cat f", "[[ <id> != 3 ]] || exit 7; cat f") + SUM.format(command="")
    workspace.write(config)
    code, text = workspace.locusts("run")
    assert code == 1
    assert workspace.tasks()["final"]["reason"] == "not run: 1 of 5 other tasks are not done"
    assert not workspace.result("final/all.txt").exists()
    assert "locusts retry" in workspace.locusts("failures")[1]
    workspace.write(CONFIG)
    code, text = workspace.locusts("retry")
    assert "submitted 2 of 6 tasks" in text
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    summed(workspace, 5)


def test_new_inputs(workspace: Workspace) -> None:
    workspace.pairs(5)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 0
    (workspace.folder / "in" / "f_5.txt").write_text("5\n")
    code, text = workspace.locusts("run")
    assert (code, "submitted 2 of 7 tasks" in text) == (0, True)
    summed(workspace, 6)
    assert workspace.locusts("submit", "--redo", "--only", "3")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert sum(fields[0] == "began" and fields[2] == "6" for fields in workspace.records()) == 3
    summed(workspace, 6)


@pytest.mark.parametrize("is_attached", [False, True])
def test_new_results_while_the_config_had_none(workspace: Workspace, *, is_attached: bool) -> None:
    workspace.pairs(2)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 0
    workspace.write(HERE + COPY)
    (workspace.folder / "in" / "f_2.txt").write_text("2\n")
    assert workspace.locusts("run")[0] == 0
    workspace.write(CONFIG)
    if is_attached:
        workspace.forget()
        assert workspace.locusts("attach")[0] == 0
    code, text = workspace.locusts("run", "--overwrite")
    assert (code, "submitted 1 of 4 tasks" in text) == (0, True), text
    summed(workspace, 3)
    workspace.write(HERE + COPY)
    assert workspace.locusts("submit", "--redo", "--only", "1")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    workspace.write(CONFIG)
    code, text = workspace.locusts("run")
    assert (code, "submitted 1 of 4 tasks" in text) == (0, True), text
    assert "nothing to submit" in workspace.locusts("run")[1]


def test_others_that_come_while_it_runs(workspace: Workspace, tmp_path: Path) -> None:
    """It is run again after them, and what it made meanwhile is not taken for all."""
    gate = tmp_path / "gate"
    gate.mkdir()
    workspace.pairs(2)
    workspace.write(HERE + COPY + held_sum(gate))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: at_work(gate) == 1, "the last task")
    (workspace.folder / "in" / "f_2.txt").write_text("2\n")
    code, text = workspace.locusts("submit")
    assert (code, "submitted 2 of 4 tasks" in text) == (0, True), text
    (gate / "go").touch()
    code, text = workspace.locusts("collect", "--wait")
    assert code == 0, text
    summed(workspace, 3)


def test_what_was_removed_cannot_be_summed(workspace: Workspace) -> None:
    """It is said beforehand, and no sum is made of what is left."""
    workspace.pairs(3)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    (workspace.folder / "in" / "f_3.txt").write_text("3\n")
    code, text = workspace.locusts("run")
    assert code == 1, text
    assert "what 3 done tasks made were removed from the target" in text
    assert "cannot be gathered: what 3 of them made is not here any more, such as 0)" in text
    assert "runs all again" in text.partition("cannot be gathered")[2], text
    assert workspace.tasks()["final"]["state"] == "pending"
    assert workspace.locusts("submit", "--redo")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    summed(workspace, 4)


@pytest.mark.parametrize("when", ["done", "ended"])
@pytest.mark.parametrize("pack", ["", "pack = true\n"])
def test_records_that_are_lost_there_are_sent(workspace: Workspace, pack: str, when: str) -> None:
    """No sum is made without them; the next submit tells the target what is known here."""
    workspace.pairs(3)
    workspace.write(HERE + COPY + pack + SUM.format(command="") + f"when = '{when}'\n")
    assert workspace.locusts("run")[0] == 0
    (path,) = (workspace.folder / ".locusts/here/s" / "exec/cache").glob("*.tsv")
    lines = path.read_bytes().splitlines(keepends=True)
    ends = [at for at, line in enumerate(lines) if line.startswith(b"ended\t")]
    lines[ends[0]] = lines[ends[1]] = bytes(len(lines[ends[0]]) - 1) + b"\n"  # as file servers leave it
    path.write_bytes(b"".join(lines))
    (workspace.folder / "in" / "f_3.txt").write_text("3\n")
    code, text = workspace.locusts("run")
    assert (code, "cannot be gathered: nothing is recorded of 2 of them, such as " in text) == (1, True), text
    assert workspace.tasks()["final"]["state"] == "pending"
    code, text = workspace.locusts("run")
    assert (code, "submitted 1 of 5 tasks" in text) == (0, True), text
    summed(workspace, 4)
    (workspace.folder / "in" / "f_4.txt").write_text("4\n")  # it is told again each time
    assert workspace.locusts("run")[0] == 0
    summed(workspace, 5)


def test_what_is_gone_there_is_missed(workspace: Workspace) -> None:
    workspace.pairs(3)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 0
    shutil.rmtree(next((workspace.folder / ".locusts/here/s" / "work").glob("*/*/out_1.txt")).parent)
    (workspace.folder / "in" / "f_3.txt").write_text("3\n")
    for _ in range(2):
        code, text = workspace.locusts("run")
        assert (code, "what 1 of them made is not here any more, such as 1)" in text) == (1, True), text
    assert workspace.locusts("submit", "--redo", "--only", "1")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    summed(workspace, 4)


def test_what_was_lost_too_often_is_told(workspace: Workspace) -> None:
    """Nothing of it is recorded there, for who would have done so was killed."""
    workspace.pairs(3)
    kill = 'if [[ <id> == 1 ]]; then kill -9 $PPID $(pgrep -P $PPID) "$(ps -o ppid= $PPID)"; fi; '
    table = "cp <results>/tasks.tsv seen.tsv; "
    swarm = COPY.replace('command = "', f"command = '{kill}").replace('out_<id>.txt"', "out_<id>.txt'", 1)
    final = SUM.format(command=table).replace('"all.txt"', '"all.txt", "seen.tsv"')
    workspace.write(HERE + swarm + final + "when = 'ended'\n")
    for _ in range(4):
        code, text = workspace.locusts("run")
    assert code == 1, text
    assert workspace.tasks()["1"]["reason"] == "lost with its manager 3 times"
    assert workspace.result("final/all.txt").read_text() == "0\n2\n"
    seen = [line.split("\t") for line in workspace.result("final/seen.tsv").read_text().splitlines()]
    assert [(row[1], row[7]) for row in seen if row[0] == "1"] == [("failed", "lost with its manager 3 times")]


def test_what_is_known_is_learned_again(workspace: Workspace) -> None:
    """`attach` finds it among the others."""
    workspace.pairs(3)
    workspace.write(CONFIG)
    assert workspace.locusts("run")[0] == 0
    workspace.forget()
    assert workspace.locusts("attach")[0] == 0
    code, text = workspace.locusts("run")
    assert (code, "nothing to submit" in text) == (0, True)
    summed(workspace, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[swarms.s.final]\noutputs = ['a']", "swarms.s.final.command: missing"),
        ("[swarms.s.final]\ncommand = 'true'\nwhen = 'don'", "swarms.s.final.when"),
        ("[swarms.s.final]\ncommand = 'true'\noutput = ['a']", "did you mean outputs?"),
        ("collect = 'final'", 'collect: "final" needs a table [swarms.NAME.final]'),
        ("[swarms.s.final]\ncommand = 'cat <result>/x'", "<result>"),
        ("[swarms.s.final]\ncommand = 'true'\noutputs = ['/x']", "swarms.s.final.outputs"),
    ],
)
def test_mistakes(workspace: Workspace, text: str, words: str) -> None:
    workspace.pairs(3)
    workspace.write(HERE + COPY + text)
    code, printed = workspace.locusts("run")
    assert code == 2, printed
    assert words in printed


# ---- deaths


def manager_of(workspace: Workspace) -> int:
    """Return the process of the manager that is at work."""
    (pid,) = {int(fields[3]) for fields in workspace.records() if fields[0] == "manager"}
    return pid


def killed_and_repeated(workspace: Workspace, gate: Path, at_gate: int) -> None:
    """Submit, kill the manager once so many tasks wait at a gate, and see that the same again makes the sum once."""
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: at_work(gate) == at_gate, "what is held")
    kill_tree(manager_of(workspace))
    (gate / "go").touch()
    code, text = workspace.locusts("run")
    assert code == 0, text
    summed(workspace, 8)
    assert len(of_final(workspace, "ended")) == 1


def test_the_manager_is_killed_while_it_runs(workspace: Workspace, tmp_path: Path) -> None:
    workspace.pairs(8)
    gate = tmp_path / "gate"
    gate.mkdir()
    workspace.write(HERE + COPY + held_sum(gate))
    killed_and_repeated(workspace, gate, 1)
    assert (
        max(sum(fields[0] == "ended" and fields[2] == str(n) for fields in workspace.records()) for n in range(1, 9))
        == 1
    )


def test_the_manager_is_killed_before_it_runs(workspace: Workspace, tmp_path: Path) -> None:
    workspace.pairs(8)
    gate = tmp_path / "gate"
    gate.mkdir()
    held = COPY.replace('"cat', "'''" + holding(gate, 4) + "; cat").replace(
        'out_<id>.txt"\nindir', "out_<id>.txt'''\nindir"
    )
    workspace.write(HERE + held + SUM.format(command=""))
    killed_and_repeated(workspace, gate, 2)


@pytest.mark.parametrize("seed", range(6))
def test_the_client_is_killed_at_any_time(workspace: Workspace, seed: int) -> None:
    """It holds for any moment; here they are spread over those that records and files tell."""
    workspace.pairs(40)
    workspace.write(CONFIG)
    chosen = random.Random(seed)
    for _ in range(3):
        process = workspace.start("run")
        want = chosen.randrange(40)
        wait_until(
            lambda process=process, want=want: (  # type: ignore[misc]
                process.poll() is not None or len(list(workspace.folder.glob(".locusts/here/s/work/*/*/out_*"))) >= want
            ),
            "some of the tasks",
        )
        process.send_signal(chosen.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        process.communicate(timeout=60)
    code, text = workspace.locusts("run")
    assert code == 0, text
    summed(workspace, 40)
    assert len(of_final(workspace, "ended")) == 1
