"""The task that comes after all others: when it runs, what it finds, and that it survives who runs it."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.manager.planfile import tasks_list
from locusts_fab.manager.records import Began, Ended
from locusts_fab.preflight.here import TOOLS
from tests.bash.test_claims import killed_at_work
from tests.support.managers import ENVIRONMENT_ID, ManualEnvironment, Spec, at_work, full_id, holding
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Ids that any fault in quoting stumbles over.
HOSTILE = ["a b", "-rf", "$(touch x)", "q\"'`", "é\n\t\\n", "*", "1", "12", os.fsdecode(b"\xff\xfe")]


def with_final(
    env: ManualEnvironment, chunks: Sequence[Sequence[Spec | str]], final: Spec | str, **values: Any
) -> ManualEnvironment:
    """Write a plan whose last chunk is that of the task after all others, and the list of these."""
    env.plan(*chunks, [final])
    tasks = [entry if isinstance(entry, Spec) else Spec(entry) for chunk in chunks for entry in chunk]
    listed = [(number, task.id if task.id != "t" else str(number)) for number, task in enumerate(tasks, 1)]
    (env.root / "exec/tasks.1").write_bytes(os.fsencode(tasks_list(listed, ENVIRONMENT_ID)))
    env.values.update(final_chunk=len(chunks) + 1, last_chunk=len(chunks), **values)
    return env


def table(text: str) -> dict[str, dict[str, str]]:
    """Return the rows of the table that the task finds, by task."""
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["task"]: row for row in rows}


def made(env: ManualEnvironment, name: str, task: int) -> str:
    """Read an output of the attempt at a task that ended last."""
    end = env.end_of(task)
    return env.output(name, task, end.claim, end.attempt)


def summary(env: ManualEnvironment, more: str = "") -> Spec:
    """Return a task that puts all outputs together."""
    return Spec(
        f"{more} cat '{env.root}/work/CLAIM/results'/*/o > all; cp '{env.root}/work/CLAIM/results/tasks.tsv' .",
        ["all", "tasks.tsv"],
    )


def test_it_comes_last_and_finds_all(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=3) as env:
        tasks = [Spec(f"echo {number} > o", ["o"]) for number in range(1, 41)]
        with_final(env, [tasks[:20], tasks[20:30], tasks[30:]], summary(env)).run()
        assert [env.states()[41], env.left()] == [["done"], "finished"]
        assert sorted(map(int, made(env, "all", 41).split())) == list(range(1, 41))
        rows = table(made(env, "tasks.tsv", 41))
        assert list(rows) == [str(number) for number in range(1, 41)]
        assert {(row["state"], row["exit"], row["attempts"]) for row in rows.values()} == {("done", "0", "1")}
        assert all((env.root / "work").samefile(f"{row['folder']}/../..") for row in rows.values())
        ended = {end.task: end for end in env.ended()}
        assert float(rows["1"]["start"]) == pytest.approx(ended[1].start_s)
        assert float(rows["1"]["seconds"]) == pytest.approx(ended[1].end_s - ended[1].start_s, abs=1e-5)
        assert max(end.end_s for end in ended.values() if end.task < 41) <= ended[41].start_s


@pytest.mark.parametrize("perl", ["as it is", "missing", "broken"])
def test_hostile_ids_are_names_of_folders(tmp_path: Path, perl: str) -> None:
    """With perl, which makes the links at once, and without."""
    (tmp_path / "bin").mkdir()
    if perl == "missing":
        for name in (*TOOLS, "bash", "sort", "grep", "find", "wc", "ls", "cut", "env", "stat", "tee"):
            if found := shutil.which(name):
                (tmp_path / "bin" / name).symlink_to(found)
    elif perl == "broken":
        (tmp_path / "bin/perl").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin/perl").chmod(0o700)
    path = f"{tmp_path}/bin" + ("" if perl == "missing" else f":{os.environ['PATH']}")
    with ManualEnvironment(tmp_path) as env:
        tasks = [Spec("echo > o", ["o"], id=name) for name in HOSTILE]
        final = Spec(
            f"cd '{env.root}/work/CLAIM/results'; exec > \"$OLDPWD/all\";"
            " ls -U --zero; find -L . -name o -printf x | wc -c",
            ["all"],
        )
        with_final(env, [tasks], final).run(env={} if perl == "as it is" else {"PATH": path})
        *names, count = (env.root / f"work/000002.1.{ENVIRONMENT_ID}/{len(HOSTILE) + 1}/all").read_bytes().split(b"\0")
        assert set(names) == {*map(os.fsencode, HOSTILE), b"tasks.tsv"}
        assert int(count) == len(HOSTILE)
        assert not list(tmp_path.rglob("x"))


def test_what_is_done_has_no_reason(tmp_path: Path) -> None:
    """An empty field at the end of what is known of a task is one all the same."""
    with ManualEnvironment(tmp_path) as env:
        with_final(env, [["true"]], Spec(f"cat '{env.root}/work/CLAIM/results/tasks.tsv'")).run()
        head, row = (line.split("\t") for line in env.log(2, "000002.1").splitlines())
        assert dict(zip(head, row, strict=True))["reason"] == ""


def test_it_needs_all_done(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2) as env:
        with_final(env, [["true", "false"], ["exit 3"]], "true").run()
        (end,) = (end for end in env.ended() if end.task == 4)
        assert (end.state, end.reason) == ("failed", "not run: 2 of 3 other tasks are not done")
        assert [record.task for record in env.records() if isinstance(record, Began)].count(4) == 0


def test_or_only_ended(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2) as env:
        final = Spec(
            f"ls '{env.root}/work/CLAIM/results' > all; cp '{env.root}/work/CLAIM/results/tasks.tsv' .",
            ["all", "tasks.tsv"],
        )
        with_final(env, [["true", "false"], [r"printf '\377\n'; exit 3"]], final, final_needs_done=0, retries=1)
        env.run(env={"LC_ALL": "C.UTF-8"})
        assert env.states()[4] == ["done"]
        assert made(env, "all", 4).split() == ["1", "tasks.tsv"]
        rows = table(made(env, "tasks.tsv", 4))
        assert [(row["state"], row["exit"], row["attempts"]) for row in rows.values()] == [
            ("done", "0", "1"),
            ("failed", "1", "2"),
            ("failed", "3", "2"),
        ]
        assert rows["2"]["folder"] == ""


def test_another_attempt_is_where_the_result_is(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        task = Spec(f'echo > o; echo >> "{tmp_path}/ran"; (( $(wc -l < "{tmp_path}/ran") == 2 ))', ["o"], id="x")
        with_final(env, [[task]], summary(env), retries=1).run()
        assert env.states() == {1: ["retry", "done"], 2: ["done"]}


def test_without_links_the_table_says_where_all_is(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        final = Spec(
            f"tail -n +2 '{env.root}/work/CLAIM/results/tasks.tsv' | cut -f 9 |"
            ' while read -r f; do cat "$f/o"; done > all;'
            f" ls '{env.root}/work/CLAIM/results' >> all",
            ["all"],
        )
        tasks = [Spec(f"echo {number} > o", ["o"], id=f"x{number}") for number in range(3)]
        with_final(env, [tasks], final, final_links=0).run()
        assert made(env, "all", 4).split() == ["0", "1", "2", "tasks.tsv"]


def test_it_runs_once_however_many_managers_there_are(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=3) as env:
        tasks = [[Spec("echo > o", ["o"])] for _ in range(60)]
        with_final(env, tasks, summary(env, f'echo >> "{tmp_path}/final";'))
        for manager in [env.start(f"1-{element}") for element in range(3)]:
            manager.wait()
        assert (tmp_path / "final").read_text() == "\n"
        assert len(made(env, "all", 61)) == 60


def test_alone_it_takes_what_was_done_before(tmp_path: Path) -> None:
    """A later submit may have nothing but this."""
    with ManualEnvironment(tmp_path) as env:
        env.plan(*[[Spec("echo > o", ["o"])] for _ in range(3)], [summary(env)])
        env.values["last_chunk"] = 3
        env.run()
        (env.root / "exec/tasks.2").write_text(
            tasks_list([(number, f"t{number}") for number in (1, 2, 3)], ENVIRONMENT_ID)
        )
        env.run("2-0", submission=2, first_chunk=4, last_chunk=3, final_chunk=4)
        assert len(made(env, "all", 4)) == 3


@pytest.mark.parametrize("lines", ["1\tt\t.\n", "1\tt\t.\nend\t2\tX\t.\n", "1\tt\t.\nend\t1\tfeedbeef\t.\n", ""])
def test_a_damaged_list_is_not_believed(tmp_path: Path, lines: str) -> None:
    with ManualEnvironment(tmp_path) as env:
        with_final(env, [["true"]], "true")
        (env.root / "exec/tasks.1").write_text(lines.replace("X", ENVIRONMENT_ID))
        why = f"the list of tasks {env.root}/exec/tasks.1 is not whole"
        assert env.run().left() == f"the results of the other tasks cannot be gathered: {why}"
        assert 2 not in env.states()


def test_it_has_its_own_time_limit(tmp_path: Path) -> None:
    limits: dict[str, Any] = {
        "timeout_us": 60_000_000,
        "timeout_text": "60 s",
        "final_timeout_us": 500_000,
        "final_timeout_text": "0.5 s",
    }
    with ManualEnvironment(tmp_path, **limits) as env:
        with_final(env, [["sleep 1"]], "sleep 60").run()
        assert {end.task: end.reason for end in env.ended()} == {1: "", 2: "timeout after 0.5 s"}


def test_inputs_and_plain_calls_are_those_of_the_others(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, has_inputs=1, program="cat") as env:
        tasks = [Spec("cat in", inputs={"in": "x"}) for _ in range(3)]
        with_final(env, [tasks], Spec("echo a > o && [[ -d . ]]", ["o"])).run()
        assert env.states()[4] == ["done"]


@pytest.mark.parametrize("keep", ["none", "failed", "all"])
def test_sandboxes_elsewhere(tmp_path: Path, keep: str) -> None:
    """What tasks leave comes from the scratch of their node, and its own sandbox is there, too."""
    with ManualEnvironment(tmp_path, scratch=[str(tmp_path / "scratch")], keep=keep, slots=2) as env:
        tasks = [[Spec(f"echo {number} > o; echo > more", ["o"])] for number in range(5)]
        with_final(env, tasks, summary(env, f"[[ $PWD == '{tmp_path}/scratch'/* ]];")).run()
        assert env.states()[6] == ["done"]
        assert sorted(made(env, "all", 6).split()) == ["0", "1", "2", "3", "4"]


# ---- deaths


def test_who_ran_it_is_killed(tmp_path: Path) -> None:
    """The next manager makes the summary, once, and of all."""
    with ManualEnvironment(tmp_path, slots=2) as env:
        tasks = [[Spec("echo > o", ["o"])] for _ in range(4)]
        with_final(env, tasks, summary(env, f"{holding(tmp_path)};"))
        manager = env.start()
        wait_until(lambda: at_work(tmp_path) == 1, "the last task")
        manager.kill()
        (tmp_path / "go").touch()
        manager.mark_gone()
        env.run("1-1")
        assert env.states()[5] == ["done"]
        assert len(made(env, "all", 5)) == 4
        assert max(len(ends) for task, ends in env.states().items() if task < 5) == 1


def test_it_was_killed_before_and_wakes_up_in_between(tmp_path: Path) -> None:
    """Who was taken for dead ends what it was at; both have made the same of the same."""
    with ManualEnvironment(tmp_path, beat_s=1, stale_s=2) as env:
        with_final(env, [[Spec("echo > o", ["o"])] * 3], summary(env, f"{holding(tmp_path)};"))
        manager = env.start()
        wait_until(lambda: at_work(tmp_path) == 1, "the last task")
        manager.send_all(signal.SIGSTOP)
        (tmp_path / "go").touch()
        manager.mark_gone()
        env.run("1-1")
        manager.send_all(signal.SIGCONT)
        manager.wait()
        assert set(env.states()[4]) == {"done"}
        for end in env.ended():
            if end.task == 4:
                assert (env.root / "work" / end.claim / "4/all").read_text() == "\n" * 3


def test_who_is_killed_before_it(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=2) as env:
        tasks = [[Spec(f"{holding(tmp_path)}; echo > o", ["o"])] for _ in range(4)]
        with_final(env, tasks, summary(env))
        killed_at_work(env).mark_gone()
        env.run("1-1")
        assert {task: ends for task, ends in env.states().items() if ends != ["done"]} == {}
        assert len(made(env, "all", 5)) == 4


def test_it_waits_for_who_may_take_failures_back(tmp_path: Path) -> None:
    """What fails on a bad node is run again, and only then it comes."""
    with ManualEnvironment(tmp_path, breaker=4, beat_s=1) as env:
        tasks = [[Spec("[[ ! $BAD ]] && echo > o", ["o"])] for _ in range(30)]
        tasks[10] = [Spec(f"{holding(tmp_path)}; echo > o", ["o"])]
        with_final(env, tasks, summary(env))
        sound = env.start("1-10")
        wait_until(lambda: at_work(tmp_path) == 1, "the task of the sound node")
        bad = env.start("1-0", {"BAD": "1"})
        wait_until(lambda: any(isinstance(record, Ended) for record in env.records("1-0")), "a failure")
        (tmp_path / "go").touch()
        bad.wait()
        sound.wait()
        assert (env.root / "exec/beats" / f"{full_id('1-0')}.end").exists()
        assert env.states()[31][-1] == "done"
        assert len(made(env, "all", 31)) == 30
