"""The whole thing on this machine, as a user meets it: the program, real managers, real files."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from locusts_fab.operations.collect import ALONG_WORTH
from tests.support.managers import wait_until
from tests.support.workspace import REPOSITORY, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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

PLAIN = """
[targets.here]
mode = "local"
slots = 2
[swarms.s]
command = "cat f_<id>.txt > out_<id>.txt"
indir = "in"
inputs = ["f_<id>.txt"]
outputs = ["out_<id>.txt"]
"""


def held(desk: Desk, before: str = "") -> str:
    """Write PLAIN so that tasks wait until there is a file `go`.

    :param before: bash that lets some of them through.
    """
    wait = f'{before}until [ -e "$GO" ]; do sleep 0.1; done; cat'
    config = PLAIN.replace('"cat', f"'{wait}").replace('_<id>.txt"\nindir', "_<id>.txt'\nindir")
    return config + f"env = {{ GO = {json.dumps(str(desk.folder / 'go'))} }}\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    folder = tmp_path / 'a desk\'s "$(touch x)" é'
    folder.mkdir()
    made = Desk(folder)
    yield made
    if (folder / ".locusts").exists():
        made.locusts("cancel")
    assert not list(tmp_path.rglob("x"))


def test_one_failing_one_without_output_one_too_slow_in_ten(desk: Desk) -> None:
    desk.pairs(40)
    desk.write(MIXED)
    bystander = desk.folder / "in" / "keep.me"
    bystander.write_text("mine")
    code, text = desk.locusts("run")
    assert code == 1, text
    assert "28 of 40 done, 12 failed" in text
    tasks = desk.tasks()
    why = {task: row["reason"] for task, row in tasks.items() if row["state"] == "failed"}
    expected = {str(n): "exit 7: bad luck" for n in (3, 13, 23, 33)}
    expected |= {str(n): f"missing output: out_{n}.txt" for n in (5, 15, 25, 35)}
    expected |= {str(n): "timeout after N s" for n in (7, 17, 27, 37)}
    assert {task: re.sub(r"(?<=after )\d+", "N", reason) for task, reason in why.items()} == expected
    assert {row["exit"] for row in tasks.values() if row["reason"].startswith("exit")} == {"7"}
    outputs = {row["task"]: row for row in desk.table("outputs.tsv")}
    assert {task for task, row in outputs.items() if row["status"] == "missing"} == set(expected)
    for number in range(40):
        if str(number) not in expected:
            assert desk.result(outputs[str(number)]["path"]).read_text() == f"{number}\n"
    assert desk.locusts("logs", "13")[1].endswith("printed:\nbad luck\n")
    assert sorted(path.name for path in desk.folder.iterdir()) == [".locusts", "in", "locusts.toml", "results"]
    assert (bystander.read_text(), len(list((desk.folder / "in").iterdir()))) == ("mine", 41)

    before = len(desk.records())
    desk.write(MIXED.replace("case <id>", "case x"))
    assert desk.locusts("submit")[0] == 0
    assert len(desk.records()) == before, "submit leaves failed tasks to retry"
    assert desk.locusts("retry")[0] == 0
    assert desk.locusts("collect", "--wait")[0] == 0
    assert {task: row["attempts"] for task, row in desk.tasks().items()} == {
        str(n): "2" if str(n) in expected else "1" for n in range(40)
    }
    assert all(desk.result(f"{n}/out_{n}.txt").read_text() == f"{n}\n" for n in range(40))


def test_again_and_again_does_no_harm(desk: Desk) -> None:
    desk.pairs(5)
    desk.write(PLAIN)
    assert desk.locusts("run")[0] == 0
    first = {path: path.stat() for path in desk.result("").rglob("*.txt")}
    for words in (["run"], ["submit"], ["collect"], ["collect", "--wait"], ["watch"], ["retry"], ["status"]):
        assert desk.locusts(*words)[0] == 0, words
    assert {path: path.stat().st_ino for path in first} == {path: stat.st_ino for path, stat in first.items()}
    assert len([fields for fields in desk.records() if fields[0] == "began"]) == 5


def test_results_come_while_the_rest_still_runs(desk: Desk) -> None:
    desk.pairs(300)
    go = desk.folder / "go"
    desk.write(held(desk, "[ <id> != 0 ] || "))
    with desk.start("run") as run:
        results = desk.folder / "results"
        wait_until(lambda: len(list(results.rglob("out_*.txt"))) >= ALONG_WORTH, "results")
        assert desk.locusts("status")[0] == 0  # others come in between
        assert run.poll() is None
        assert not desk.result("tasks.tsv").exists()
        removed = next(results.rglob("out_*.txt"))
        removed.unlink()
        go.touch()
        text = "".join(map(bytes.decode, run.communicate(timeout=120)))
    assert (run.returncode, "300 tasks collected now" in text) == (0, True), text
    assert not removed.exists()  # it was here once
    assert desk.locusts("collect", "--wait")[0] == 0
    assert [desk.result(f"{n}/out_{n}.txt").read_text() for n in range(300)] == [f"{n}\n" for n in range(300)]
    assert {row["state"] for row in desk.tasks().values()} == {"done"}


def test_a_result_that_was_removed_comes_back_and_new_inputs_run(desk: Desk) -> None:
    desk.pairs(3)
    desk.write(PLAIN)
    assert desk.locusts("run")[0] == 0
    desk.result("1/out_1.txt").unlink()
    (desk.folder / "in" / "f_9.txt").write_text("nine")
    code, text = desk.locusts("run")
    assert code == 0
    assert "submitted 1 of 4 tasks" in text
    assert desk.result("1/out_1.txt").read_text() == "1\n"
    assert desk.result("9/out_9.txt").read_text() == "nine"


def test_a_changed_command_is_named_and_redo_runs_it(desk: Desk) -> None:
    desk.pairs(2)
    desk.write(PLAIN)
    assert desk.locusts("run")[0] == 0
    desk.write(PLAIN.replace("cat f_", "tac f_"))
    code, text = desk.locusts("submit")
    assert code == 0
    assert "2 done tasks have changed" in text
    assert desk.locusts("submit", "--redo")[0] == 0
    assert desk.locusts("collect", "--wait")[0] == 0
    assert {row["attempts"] for row in desk.tasks().values()} == {"1"}


def test_dry_run_touches_nothing_and_shows_the_scripts(desk: Desk) -> None:
    desk.pairs(12)
    desk.write(PLAIN)
    code, text = desk.locusts("submit", "--dry-run")
    assert code == 0
    assert "12 tasks" in text
    assert "task 4: cat f_4.txt > out_4.txt" in text
    assert "#!/usr/bin/env bash" in text
    assert sorted(path.name for path in desk.folder.iterdir()) == ["in", "locusts.toml"]


def test_status_as_json_and_before_anything_ran(desk: Desk) -> None:
    desk.pairs(3)
    desk.write(PLAIN)
    code, text = desk.locusts("status", "--json")
    found = json.loads(text)
    assert (code, found["state"], found["tasks"]["total"]) == (0, "planned", 3)
    desk.locusts("run")
    found = json.loads(desk.locusts("status", "--json")[1])
    assert found["state"] == "finished"
    assert found["tasks"] == {"total": 3, "pending": 0, "running": 0, "done": 3, "failed": 0}
    assert found["collected"] == 3
    assert [manager["done"] for manager in found["managers"]] == [3]
    assert {"swarm", "target", "jobs", "started", "updated", "eta_s"} <= set(found)


def test_ctrl_c_leaves_the_swarm_running(desk: Desk) -> None:
    desk.pairs(6)
    desk.write(held(desk))
    with desk.start("run") as process:
        assert any(b"running" in line for line in process.stderr)  # type: ignore[union-attr]  # it is a pipe
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    (desk.folder / "go").touch()
    assert process.returncode == 130
    assert b"goes on by itself" in err
    assert b"Traceback" not in err
    assert desk.locusts("collect", "--wait")[0] == 0
    assert {row["attempts"] for row in desk.tasks().values()} == {"1"}


def test_cancel_stops_and_submit_carries_on(desk: Desk) -> None:
    desk.pairs(80)
    desk.write(held(desk, "[ <id> = 0 ] || "))  # the first task; a slot that has ended it is held like the other
    assert desk.locusts("submit")[0] == 0
    wait_until(lambda: [row for row in desk.records() if row[0] == "ended"], "the first task")
    assert desk.locusts("cancel")[0] == 0
    found = json.loads(desk.locusts("status", "--json")[1])
    assert found["state"] == "cancelled"
    assert 0 < found["tasks"]["done"] < 80
    (desk.folder / "go").touch()
    assert desk.locusts("run")[0] == 0
    assert len([row for row in desk.records() if row[0] == "ended" and row[4] == "done"]) == 80


def test_new_tasks_join_while_old_ones_run_and_nothing_runs_twice(desk: Desk) -> None:
    desk.pairs(20)
    desk.write(held(desk))
    assert desk.locusts("submit")[0] == 0
    wait_until(lambda: len([row for row in desk.records() if row[0] == "began"]) == 2, "both slots at work")
    code, text = desk.locusts("submit")
    assert (code, "tasks of an earlier submit are running or wait their turn" in text) == (0, True), text
    for number in range(20, 26):
        (desk.folder / "in" / f"f_{number}.txt").write_text(f"{number}\n")
    assert desk.locusts("submit")[0] == 0
    (desk.folder / "go").touch()
    assert desk.locusts("collect", "--wait")[0] == 0
    assert {row["attempts"] for row in desk.tasks().values()} == {"1"}
    assert len(desk.tasks()) == 26


def test_clean_refuses_what_would_be_lost(desk: Desk) -> None:
    desk.pairs(2)
    desk.write(PLAIN)
    desk.locusts("submit")
    desk.locusts("watch")
    code, text = desk.locusts("clean")
    assert (code, "not collected" in text) == (2, True)
    assert desk.locusts("collect")[0] == 0
    assert desk.locusts("clean")[0] == 0
    assert not (desk.folder / ".locusts" / "here" / "s").exists()
    assert desk.locusts("run")[0] == 0
    assert desk.result("1/out_1.txt").read_text() == "1\n"


def test_attach_after_the_state_was_lost(desk: Desk) -> None:
    desk.pairs(7)
    desk.write(PLAIN.replace("cat f_<id>", "test <id> != 4 && cat f_<id>"))
    assert desk.locusts("run")[0] == 1
    for path in (desk.folder / ".locusts" / "s").iterdir():
        path.unlink()
    before = {path: path.stat().st_ino for path in desk.result("").rglob("out*.txt")}
    assert desk.locusts("collect")[0] == 2
    assert desk.locusts("attach")[0] == 1
    assert desk.locusts("collect")[0] == 1
    assert {path: path.stat().st_ino for path in desk.result("").rglob("out*.txt")} == before
    desk.write(PLAIN)
    assert desk.locusts("retry")[0] == 0
    assert desk.locusts("collect", "--wait")[0] == 0
    assert desk.tasks()["4"]["attempts"] == "2"


def test_breaker_says_what_to_do(desk: Desk) -> None:
    desk.pairs(60)
    desk.write(PLAIN.replace("cat f_<id>", "nosuchprogram f_<id>"))
    code, text = desk.locusts("run")
    assert code == 1
    assert "first 20 tasks all failed" in text
    assert len([row for row in desk.records() if row[0] == "began"]) < 30
    desk.write(PLAIN)
    assert desk.locusts("retry")[0] == 0
    assert desk.locusts("collect", "--wait")[0] == 0


def test_a_first_submit_that_had_no_plan(desk: Desk) -> None:
    """No other command takes the nothing that there is for a swarm that is done."""
    desk.write(PLAIN)  # but there are no inputs
    assert desk.locusts("submit")[0] == 2
    for command in ("status", "collect --wait", "cancel"):
        code, text = desk.locusts(*command.split())
        assert (code, "nothing is known of swarm s" in text) == (2, True), text
    desk.pairs(3)
    assert desk.locusts("run")[0] == 0


def test_flat_layout_args_and_keep(desk: Desk) -> None:
    desk.write(
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
    assert desk.locusts("run")[0] == 0
    assert [desk.result(f"{n:06d}/r_{n:06d}.txt").read_text() for n in range(1, 5)] == [
        "280/1",
        "280/2",
        "300.50/1",
        "300.50/2",
    ]
    assert sorted(path.name for path in desk.result("000002/d").iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("", "swarms: there is none"),
        ("[swarms.s]\ncomand = 'x'\nargs = [['1']]", "swarms.s.comand: unknown key; did you mean command?"),
        ("[swarms.s]\ncommand = 'x <id>'\ninputs = ['f_<id>']\nindir = 'nowhere'", "there is no folder"),
        ("[swarms.s\n", "line 1"),
        ("[swarms.s]\ncommand = 'x `<id>`'\nargs = [['1']]", "<id>"),
    ],
)
def test_what_cannot_be_used_is_code_2_and_one_message(desk: Desk, config: str, problem: str) -> None:
    desk.write(config)
    code, text = desk.locusts("run")
    assert (code, problem in text) == (2, True), text
    assert [path.name for path in desk.folder.iterdir() if path.name != "locusts.toml"] in ([], [".locusts"])


def test_a_config_elsewhere_and_usage_errors(desk: Desk) -> None:
    assert desk.locusts("run")[0] == 2
    assert desk.locusts("nonsense")[0] == 2
    assert desk.locusts("run", "--nonsense")[0] == 2
    code, text = desk.locusts("run", "--config", str(REPOSITORY / "locusts.toml"), "--swarm", "pears")
    assert (code, "did you mean pairs?" in text) == (2, True)
    assert os.listdir(desk.folder) == []  # noqa: PTH208 - names are what is asked
