"""The whole thing on this machine, as a user meets it: the program, real managers, real files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal

import pytest

from locusts_fab.operations.collect import EAGER_WORTH
from tests.support.processes import wait_until
from tests.support.workspace import COPY, HERE, REPOSITORY, Workspace

MIXED = """
[targets.here]
mode = "local"
slots = 4
[swarms.s]
command = '''
case <id> in *3) echo "bad luck" >&2; exit 7 ;; *5) exit 0 ;; *7) sleep 60 ;; esac
cp f_<id>.txt out_<id>.txt
'''
indir = "in"
inputs = ["f_<id>.txt"]
outputs = ["out_<id>.txt"]
timeout = "4s"
"""

#: What Ctrl-C, Ctrl-\\ and a terminal that closes send.
SIGNALS = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
PLAIN = HERE + COPY


def held(workspace: Workspace, before: str = "") -> str:
    """Write PLAIN so that tasks wait until there is a file `go`.

    :param before: bash that lets some of them through.
    """
    wait = f'{before}until [ -e "$GO" ]; do sleep 0.1; done; cat'
    config = PLAIN.replace('"cat', f"'{wait}").replace('_<id>.txt"\nindir', "_<id>.txt'\nindir")
    return config + f"env = {{ GO = {json.dumps(str(workspace.folder / 'go').replace('$', '$$'))} }}\n"


def test_one_failing_one_without_output_one_too_slow_in_ten(workspace: Workspace) -> None:
    workspace.pairs(40)
    workspace.write(MIXED)
    bystander = workspace.folder / "in" / "keep.me"
    bystander.write_text("mine")
    code, text = workspace.locusts("run")
    assert code == 1, text
    assert "28 of 40 done, 12 failed" in text
    tasks = workspace.tasks()
    why = {task: row["reason"] for task, row in tasks.items() if row["state"] == "failed"}
    expected = {str(n): "exit 7: bad luck" for n in (3, 13, 23, 33)}
    expected |= {str(n): f"missing output: out_{n}.txt" for n in (5, 15, 25, 35)}
    expected |= {str(n): "timeout after N s" for n in (7, 17, 27, 37)}
    assert {task: re.sub(r"(?<=after )\d+", "N", reason) for task, reason in why.items()} == expected
    assert {row["exit"] for row in tasks.values() if row["reason"].startswith("exit")} == {"7"}
    outputs = {row["task"]: row for row in workspace.table("outputs.tsv")}
    assert {task for task, row in outputs.items() if row["status"] == "missing"} == set(expected)
    for number in range(40):
        if str(number) not in expected:
            assert workspace.result(outputs[str(number)]["path"]).read_text() == f"{number}\n"
    assert workspace.locusts("logs", "13")[1].endswith("printed:\nbad luck\n")
    assert sorted(path.name for path in workspace.folder.iterdir()) == [".locusts", "in", "locusts.toml", "results"]
    assert (bystander.read_text(), len(list((workspace.folder / "in").iterdir()))) == ("mine", 41)

    before = len(workspace.records())
    workspace.write(MIXED.replace("case <id>", "case x"))
    assert workspace.locusts("submit")[0] == 0
    assert len(workspace.records()) == before, "submit leaves failed tasks to retry"
    assert workspace.locusts("retry")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert {task: row["attempts"] for task, row in workspace.tasks().items()} == {
        str(n): "2" if str(n) in expected else "1" for n in range(40)
    }
    assert all(workspace.result(f"{n}/out_{n}.txt").read_text() == f"{n}\n" for n in range(40))


def test_again_and_again_does_no_harm(workspace: Workspace) -> None:
    workspace.pairs(5)
    workspace.write(PLAIN)
    assert workspace.locusts("run")[0] == 0
    first = {path: path.stat() for path in workspace.result("").rglob("*.txt")}
    for words in (["run"], ["submit"], ["collect"], ["collect", "--wait"], ["watch"], ["retry"], ["status"]):
        assert workspace.locusts(*words)[0] == 0, words
    assert {path: path.stat().st_ino for path in first} == {path: stat.st_ino for path, stat in first.items()}
    assert len([fields for fields in workspace.records() if fields[0] == "began"]) == 5


def test_results_come_while_the_rest_still_runs(workspace: Workspace) -> None:
    workspace.pairs(300)
    go = workspace.folder / "go"
    workspace.write(held(workspace, "[ <id> != 0 ] || "))
    with workspace.start("run") as run:
        results = workspace.folder / "results"
        # what looks whether something can be put there makes that folder, and removes it again
        wait_until(lambda: sum(len(names) for _, _, names in os.walk(results)) >= EAGER_WORTH, "results")
        assert workspace.locusts("status")[0] == 0  # others come in between
        assert run.poll() is None
        assert not workspace.result("tasks.tsv").exists()
        removed = next(results.rglob("out_*.txt"))
        removed.unlink()
        go.touch()
        text = "".join(map(bytes.decode, run.communicate(timeout=120)))
    assert (run.returncode, "300 tasks collected now" in text) == (0, True), text
    assert not removed.exists()  # it was here once
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert [workspace.result(f"{n}/out_{n}.txt").read_text() for n in range(300)] == [f"{n}\n" for n in range(300)]
    assert {row["state"] for row in workspace.tasks().values()} == {"done"}


def test_a_result_that_was_removed_comes_back_and_new_inputs_run(workspace: Workspace) -> None:
    workspace.pairs(3)
    workspace.write(PLAIN)
    assert workspace.locusts("run")[0] == 0
    workspace.result("1/out_1.txt").unlink()
    (workspace.folder / "in" / "f_9.txt").write_text("nine")
    code, text = workspace.locusts("run")
    assert code == 0
    assert "submitted 1 of 4 tasks" in text
    assert workspace.result("1/out_1.txt").read_text() == "1\n"
    assert workspace.result("9/out_9.txt").read_text() == "nine"


def test_a_changed_command_is_named_and_redo_runs_it(workspace: Workspace) -> None:
    workspace.pairs(2)
    workspace.write(PLAIN)
    assert workspace.locusts("run")[0] == 0
    workspace.write(PLAIN.replace("cat f_", "tac f_"))
    code, text = workspace.locusts("submit")
    assert code == 0
    assert "2 done tasks have changed" in text
    assert workspace.locusts("submit", "--redo")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert {row["attempts"] for row in workspace.tasks().values()} == {"1"}


def test_dry_run_touches_nothing_and_shows_a_screen_or_the_scripts(workspace: Workspace) -> None:
    workspace.pairs(12)
    workspace.write(PLAIN)
    code, text = workspace.locusts("submit", "--dry-run")
    assert code == 0
    assert "12 tasks" in text
    assert "task 1: cat f_1.txt > out_1.txt" in text
    assert len(text.splitlines()) < 24
    assert "#!/usr/bin/env bash" in workspace.locusts("submit", "--dry-run", "--scripts")[1]
    assert workspace.locusts("submit", "--scripts")[0] == 2
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["in", "locusts.toml"]


def test_status_as_json_and_before_anything_ran(workspace: Workspace) -> None:
    workspace.pairs(3)
    workspace.write(PLAIN)
    code, text = workspace.locusts("status", "--json")
    found = json.loads(text)
    assert (code, found["state"], found["tasks"]["total"]) == (0, "planned", 3)
    workspace.locusts("run")
    found = json.loads(workspace.locusts("status", "--json")[1])
    assert found["state"] == "finished"
    assert found["tasks"] == {"total": 3, "pending": 0, "running": 0, "done": 3, "failed": 0}
    assert found["collected"] == 3
    assert [manager["done"] for manager in found["managers"]] == [3]
    assert {"swarm", "target", "jobs", "started", "updated", "eta_s"} <= set(found)


def test_ctrl_c_leaves_the_swarm_running(workspace: Workspace) -> None:
    workspace.pairs(6)
    workspace.write(held(workspace))
    with workspace.start("run") as process:
        assert any(b"running" in line for line in process.stderr)  # type: ignore[union-attr]  # it is a pipe
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    (workspace.folder / "go").touch()
    assert process.returncode == 130
    assert b"goes on by itself" in err
    assert b"Traceback" not in err
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert {row["attempts"] for row in workspace.tasks().values()} == {"1"}


def test_cancel_stops_and_submit_carries_on(workspace: Workspace) -> None:
    workspace.pairs(80)
    workspace.write(
        held(workspace, "[ <id> = 0 ] || ")
    )  # the first task; a slot that has ended it is held like the other
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: [row for row in workspace.records() if row[0] == "ended"], "the first task")
    assert workspace.locusts("cancel")[0] == 0
    found = json.loads(workspace.locusts("status", "--json")[1])
    assert found["state"] == "cancelled"
    assert 0 < found["tasks"]["done"] < 80
    (workspace.folder / "go").touch()
    assert workspace.locusts("run")[0] == 0
    assert len([row for row in workspace.records() if row[0] == "ended" and row[4] == "done"]) == 80


def test_new_tasks_join_while_old_ones_run_and_nothing_runs_twice(workspace: Workspace) -> None:
    workspace.pairs(20)
    workspace.write(held(workspace))
    assert workspace.locusts("submit")[0] == 0
    wait_until(lambda: len([row for row in workspace.records() if row[0] == "began"]) == 2, "both slots at work")
    code, text = workspace.locusts("submit")
    assert (code, "tasks of an earlier submit are running or wait their turn" in text) == (0, True), text
    for number in range(20, 26):
        (workspace.folder / "in" / f"f_{number}.txt").write_text(f"{number}\n")
    assert workspace.locusts("submit")[0] == 0
    (workspace.folder / "go").touch()
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert {row["attempts"] for row in workspace.tasks().values()} == {"1"}
    assert len(workspace.tasks()) == 26


def test_clean_refuses_what_would_be_lost(workspace: Workspace) -> None:
    workspace.pairs(2)
    workspace.write(PLAIN)
    workspace.locusts("submit")
    workspace.locusts("watch")
    code, text = workspace.locusts("clean")
    assert (code, "not collected" in text) == (2, True)
    assert workspace.locusts("collect")[0] == 0
    assert workspace.locusts("clean")[0] == 0
    assert not (workspace.folder / ".locusts" / "here" / "s").exists()
    assert workspace.locusts("run")[0] == 0
    assert workspace.result("1/out_1.txt").read_text() == "1\n"


def test_attach_after_the_state_was_lost(workspace: Workspace) -> None:
    workspace.pairs(7)
    workspace.write(PLAIN.replace("cat f_<id>", "test <id> != 4 && cat f_<id>"))
    assert workspace.locusts("run")[0] == 1
    workspace.forget()
    before = {path: path.stat().st_ino for path in workspace.result("").rglob("out*.txt")}
    assert workspace.locusts("collect")[0] == 2
    assert workspace.locusts("attach")[0] == 1
    assert workspace.locusts("collect")[0] == 1
    assert {path: path.stat().st_ino for path in workspace.result("").rglob("out*.txt")} == before
    workspace.write(PLAIN)
    assert workspace.locusts("retry")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0
    assert workspace.tasks()["4"]["attempts"] == "2"


@pytest.mark.parametrize(
    ("task_id", "output"),
    [("../../home/.ssh", "keys"), ("1", "../../home/.ssh/keys"), ("1", "/tmp/x/keys"), (".", "x")],
)
def test_attach_takes_nothing_from_a_plan_that_names_what_is_elsewhere(
    workspace: Workspace, task_id: str, output: str
) -> None:
    workspace.pairs(1)
    workspace.write(PLAIN)
    assert workspace.locusts("run")[0] == 0
    workspace.forget()
    (plan,) = (workspace.folder / ".locusts").rglob("plan/000001")
    lines = plan.read_text(encoding="utf-8").split("\n")
    number, _, command, _, end = lines[0].split("\t")
    plan.write_text("\n".join([f"{number}\t{task_id}\t{command}\t{output}\t{end}", *lines[1:]]), encoding="utf-8")
    code, text = workspace.locusts("attach")
    assert code == 3
    assert "holds a name that no task of ours has" in text
    assert str(plan.parents[2]) in text
    assert workspace.locusts("collect")[0] == 2


@pytest.mark.parametrize("name", ["999999999", "1" + "0" * 200, "-1", "0", "²"])
def test_attach_refuses_submissions_whose_numbers_are_none(workspace: Workspace, name: str) -> None:
    """What comes after them would have numbers that no manager can have."""
    workspace.pairs(2)
    workspace.write(PLAIN)
    assert workspace.locusts("run")[0] == 0
    before = workspace.tasks()
    workspace.forget()
    (started,) = (workspace.folder / ".locusts").rglob("started.1")
    (started / "chunks").write_text(f"1 {'9' * 5000}\n")
    forged = shutil.copytree(started, started.with_name(f"started.{name}"))
    code, text = workspace.locusts("attach")
    assert code == 3
    assert "expected a whole number from 1 to 99999999" in text
    assert str(started.parent) in text
    shutil.rmtree(forged)
    assert workspace.locusts("attach")[0] == 0
    assert workspace.locusts("collect")[0] == 0
    assert workspace.tasks() == before


@pytest.mark.parametrize(("at", "number"), [(2, "9" * 18), (3, "-1"), (5, "300"), (6, "inf"), (7, "1e999"), (9, "٣")])
def test_a_forged_record_changes_nothing(workspace: Workspace, at: int, number: str) -> None:
    workspace.pairs(2)
    workspace.write(PLAIN)
    assert workspace.locusts("run")[0] == 0
    before = workspace.tasks()
    workspace.forget()
    (cache,) = (workspace.folder / ".locusts").rglob("cache/*.tsv")
    lines = cache.read_text(encoding="utf-8").split("\n")
    of_first = next(line.split("\t") for line in lines if line.startswith("ended"))
    of_first[at] = number
    cache.write_text("\n".join(["\t".join(of_first), *lines]), encoding="utf-8")
    assert workspace.locusts("attach")[0] == 0
    assert workspace.locusts("collect")[0] == 0
    assert workspace.tasks() == before


def test_breaker_says_what_to_do(workspace: Workspace) -> None:
    workspace.pairs(60)
    workspace.write(PLAIN.replace("cat f_<id>", "nosuchprogram f_<id>"))
    code, text = workspace.locusts("run")
    assert code == 1
    assert "20 tasks in a row all failed" in text
    assert len([row for row in workspace.records() if row[0] == "began"]) < 30
    workspace.write(PLAIN)
    assert workspace.locusts("retry")[0] == 0
    assert workspace.locusts("collect", "--wait")[0] == 0


def test_a_first_submit_that_had_no_plan(workspace: Workspace) -> None:
    """No other command takes the nothing that there is for a swarm that is done."""
    workspace.write(PLAIN)  # but there are no inputs
    assert workspace.locusts("submit")[0] == 2
    for command in ("status", "collect --wait", "cancel"):
        code, text = workspace.locusts(*command.split())
        assert (code, "nothing is known of swarm s" in text) == (2, True), text
    workspace.pairs(3)
    assert workspace.locusts("run")[0] == 0


def test_flat_layout_args_and_keep(workspace: Workspace) -> None:
    workspace.write(
        """
[swarms.s]
command = "printf '%s' <temperature>/<seed> > r_<id>.txt; mkdir d; touch d/a d/b"
sweep = { temperature = [280, 300.50], seed = [1, 2] }
outputs = ["r_<id>.txt", "d"]
outdir = "results/s"
layout = "tasks"
keep = "none"
"""
    )
    assert workspace.locusts("run")[0] == 0
    assert [workspace.result(f"{n:06d}/r_{n:06d}.txt").read_text() for n in range(1, 5)] == [
        "280/1",
        "280/2",
        "300.50/1",
        "300.50/2",
    ]
    assert sorted(path.name for path in workspace.result("000002/d").iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("", "swarms: there is none"),
        ("[swarms.s]\ncomand = 'x'\nargs = [['1']]", "swarms.s.comand: unknown key; did you mean command?"),
        ("[swarms.s]\ncommand = 'x <id>'\ninputs = ['f_<id>']\nindir = 'nowhere'", "nowhere is not there"),
        ("[swarms.s\n", "line 1"),
        ("[swarms.s]\ncommand = 'x `<id>`'\nargs = [['1']]", "<id>"),
    ],
)
def test_what_cannot_be_used_is_code_2_and_one_message(workspace: Workspace, config: str, problem: str) -> None:
    workspace.write(config)
    code, text = workspace.locusts("run")
    assert (code, problem in text) == (2, True), text
    assert [path.name for path in workspace.folder.iterdir() if path.name != "locusts.toml"] in ([], [".locusts"])


def test_a_config_elsewhere_and_usage_errors(workspace: Workspace) -> None:
    assert workspace.locusts("run")[0] == 2
    assert workspace.locusts("nonsense")[0] == 2
    assert workspace.locusts("run", "--nonsense")[0] == 2
    code, text = workspace.locusts("run", "--config", str(REPOSITORY / "locusts.toml"), "--swarm", "pears")
    assert (code, "did you mean pairs?" in text) == (2, True)
    assert os.listdir(workspace.folder) == []


def test_tasks_heed_the_signals_of_a_terminal(workspace: Workspace) -> None:
    """A manager is started in the background of nothing, so that neither it nor its tasks ignore them."""
    workspace.pairs(1)
    workspace.write(PLAIN.replace("cat f_<id>.txt", "grep SigIgn /proc/self/status"))
    assert workspace.locusts("run")[0] == 0
    (out,) = (workspace.folder / "results").rglob("out_*.txt")
    ignored = int(out.read_text().split()[1], 16)
    assert [number.name for number in signal.valid_signals() & SIGNALS if ignored >> (number - 1) & 1] == []
