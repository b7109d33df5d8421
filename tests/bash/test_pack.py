"""Packed outputs: what tasks leave goes to one file for each lease, and only then counts."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds.checksum import Checksum
from locusts_fab.shell.scripts import templates_folder
from tests.bash.test_final import summary, with_final
from tests.support.managers import (
    BASH,
    ENVIRONMENT_ID,
    ManualEnvironment,
    Spec,
    at_work,
    full_claim,
    full_id,
    holding,
    in_session,
)
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.manager.records import Ended

SCRATCH = "a b"


def packed(tmp_path: Path, name: str = "env", **values: object) -> ManualEnvironment:
    return ManualEnvironment(tmp_path, name, **{"pack": 1, "scratch": [f"{tmp_path}/{SCRATCH}"], **values})


def piece_of(env: ManualEnvironment, record: Ended) -> tarfile.TarFile:
    """Return the piece that a record names, which is as it says."""
    assert record.piece is not None
    data = (env.root / env.layout.packed(record.claim)).read_bytes()[record.piece.offset :][: record.piece.size]
    made = Checksum()
    made.update(data)
    assert (made.size, made.value) == (record.piece.size, record.piece.sum)
    return tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape")


def names_of(env: ManualEnvironment, task: int = 1) -> list[str]:
    """Return what is in the piece of a task, of it and of others."""
    with piece_of(env, env.end_of(task)) as archive:
        return archive.getnames()


def content_of(env: ManualEnvironment, name: str, task: int = 1) -> str:
    with piece_of(env, env.end_of(task)) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return os.fsdecode(file.read())


def in_work(env: ManualEnvironment) -> list[str]:
    return sorted(str(path.relative_to(env.root / "work")) for path in (env.root / "work").rglob("*"))


def is_scratch_empty(tmp_path: Path) -> bool:
    return not list((tmp_path / SCRATCH).iterdir())


def test_a_chunk_leaves_one_file(tmp_path: Path) -> None:
    with packed(tmp_path, has_inputs=1, keep="none") as env:
        inputs = {"in": "text"}
        env.plan(
            [
                Spec("cat in > out; cat in; : > other", ["out"], inputs),
                Spec("mkdir -p d/e; cp in d/e/f; : > d/junk", ["d/e"], inputs),
                Spec("exit 3", ["out"], inputs),
                Spec("true", [], inputs),
            ],
            [Spec("cat in > out", ["out"], inputs)],
        ).run()
        assert env.states() == {1: ["done"], 2: ["done"], 3: ["failed"], 4: ["done"], 5: ["done"]}
        assert in_work(env) == [f"00000{chunk}.1.{ENVIRONMENT_ID}.tar" for chunk in (1, 2)]
        assert names_of(env) == names_of(env, 2) == ["1/out", "log.1", "2/d/e", "2/d/e/f"]
        assert [content_of(env, name) for name in ("1/out", "log.1", "2/d/e/f")] == ["text"] * 3
        assert [env.end_of(task).log for task in (1, 2, 3)] == [1, 0, 0]
        assert [env.end_of(task).piece for task in (3, 4)] == [None, None]
        assert names_of(env, 5) == ["5/out"]
        assert env.complaints() == ""
        assert is_scratch_empty(tmp_path)
        marks = list((env.root / "exec/claims").glob("*.end"))
        owners = {path.stat().st_ino for path in (env.root / "exec/claims").glob("owner.*")}
        assert len(marks) == 2
        assert {path.stat().st_ino for path in marks} <= owners  # a quota of files does not count these


def test_a_mark_that_is_there_already_harms_no_lease(tmp_path: Path) -> None:
    """It is another name of what the leases of a slot say, so who marks an end again must not empty it."""
    library = (templates_folder() / "manager/claims.sh").read_text()
    claims = tmp_path / "exec/claims"
    claims.mkdir(parents=True)
    script = (
        f"{library}\nnote_past() {{ :; }}; leave_full() {{ echo full; }}\n"
        "ROOT=$1 ENVIRONMENT_ID=1 PACK=1 OWNER=$1/exec/claims/owner.1\necho 1-0 0.1 >$OWNER\nfinish_chunk 1\n"
        "OWNER=$1/exec/claims/owner.2\necho 1-1 0.1 >$OWNER\nfinish_chunk 1\n"
    )
    found = subprocess.run([BASH, "-uc", script, "bash", tmp_path], check=True, capture_output=True, timeout=100)
    assert found.stdout == b""
    texts = {path.name: path.read_text() for path in claims.iterdir()}
    assert texts == {"owner.1": "1-0 0.1\n", "owner.2": "1-1 0.1\n", "000001.1.end": "1-0 0.1\n"}


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("none", {"1/out", "2.2/out", "log.1", "log.2", "log.3"}),
        ("failed", {"1/out", "2", "2/out", "2/x", "2.2", "2.2/out", "2.2/x", "log.1", "log.2", "log.3"}),
        ("all", {"1", "1/out", "1/x", "2", "2/out", "2/x", "2.2", "2.2/out", "2.2/x", "log.1", "log.2", "log.3"}),
    ],
)
def test_what_is_kept(tmp_path: Path, keep: str, kept: set[str]) -> None:
    """Sandboxes that stay are packed, too, with what was printed there."""
    command = ": > x; : > out; echo printed"
    with packed(tmp_path, keep=keep, retries=1) as env:
        env.plan([Spec(command, ["out"]), Spec(f"{command}; exit 1", ["out"])]).run()
        assert env.states() == {1: ["done"], 2: ["retry", "failed"]}
        assert set(names_of(env)) == kept


def test_names_of_any_kind(tmp_path: Path) -> None:
    names = [
        "-n",
        "b\\n",
        "o\\101",
        "a b'c\"d",
        "$(touch x)",
        "l\nf",
        "t\tb",
        "\udcff",
        "*",
        f"{'f' * 200}/{'o' * 200}",
    ]
    words = ["$'" + "".join(f"\\x{byte:02x}" for byte in os.fsencode(name)) + "'" for name in names]
    command = "; ".join(f'mkdir -p -- "$(dirname -- {word})" && echo x > ./{word}' for word in words)
    with packed(tmp_path) as env:
        env.plan([Spec(command, names)]).run()
        assert env.states() == {1: ["done"]}
        assert sorted(names_of(env)) == sorted(f"1/{name}" for name in names)


def test_what_scratch_cannot_hold_is_told(small_disk: Path, tmp_path: Path) -> None:
    """An output may lead to more than fits there: its task has failed, and is in nobody's way."""
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)
    with packed(tmp_path, scratch=[str(small_disk)]) as env:
        env.plan([Spec(f"ln -s '{tmp_path}/big' out; echo said", ["out"])], [Spec("echo x > out", ["out"])] * 3).run()
        assert env.states() == {1: ["failed"], 2: ["done"], 3: ["done"], 4: ["done"]}
        assert env.left() == "finished"
        assert env.end_of().reason.startswith("its outputs could not be packed: cp: ")
        assert content_of(env, "log.1") == "said\n"
        assert list(small_disk.iterdir()) == []


def test_what_fits_into_scratch_one_by_one_is_packed(small_disk: Path, tmp_path: Path) -> None:
    """Several outputs that lead elsewhere may be too much for it together."""
    (tmp_path / "some").write_bytes(b"x" * 400_000)
    with packed(tmp_path, scratch=[str(small_disk)]) as env:
        env.plan([Spec(f"ln -s '{tmp_path}/some' out", ["out"])] * 4).run()
        assert env.states() == {task: ["done"] for task in range(1, 5)}
        assert [len(content_of(env, f"{task}/out", task)) for task in range(1, 5)] == [400_000] * 4
        assert list(small_disk.iterdir()) == []


def test_links(tmp_path: Path) -> None:
    """An output that is a symlink comes as what it leads to, and one that is shared with another task as a file."""
    (tmp_path / "far").write_text("far")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/x").write_text("inner")
    commands = [f"ln -s {tmp_path}/far a; ln -s {tmp_path}/folder b; ln -s nowhere c", f"ln {tmp_path}/far a"]
    with packed(tmp_path) as env:
        env.plan([Spec(commands[0], ["a", "b"]), Spec(commands[1], ["a"]), Spec(commands[1], ["a"])]).run()
        assert env.states() == {1: ["done"], 2: ["done"], 3: ["done"]}
        assert [content_of(env, name) for name in ("1/a", "2/a", "3/a", "1/b/x")] == ["far", "far", "far", "inner"]
    assert (tmp_path / "far").read_text() == "far"


def test_patterns(tmp_path: Path) -> None:
    with packed(tmp_path, has_patterns=1) as env:
        env.plan([Spec("mkdir d; : > d/a.x; : > d/b.x; : > d/c; : > e", ["/g/d/*.x", "e"])]).run()
        assert sorted(names_of(env)) == ["1/d/a.x", "1/d/b.x", "1/e"]


def test_what_waits_is_written_while_a_task_takes_long(tmp_path: Path) -> None:
    """And what that costs is not counted as the task's."""
    with packed(tmp_path) as env:
        env.plan([Spec("echo 1 > out", ["out"]), Spec(f"{holding(tmp_path)}; echo 2 > out", ["out"])])
        manager = env.start()
        wait_until(lambda: env.states() == {1: ["done"]}, "the record of the first task")
        assert names_of(env) == ["1/out"]
        assert (tmp_path / SCRATCH).exists()
        (tmp_path / "go").touch()
        manager.wait()
        assert env.states() == {1: ["done"], 2: ["done"]}
        assert content_of(env, "2/out", 2) == "2\n"
        assert env.end_of(2).exit_code == 0


def test_each_answers_for_itself(tmp_path: Path) -> None:
    """What cannot be packed fails, with its reason, and its log comes; all others are done."""
    with packed(tmp_path) as env:
        env.plan(
            [
                Spec("echo said; : > out", ["out"]),
                Spec("rm ../1/out; : > out", ["out"]),
                Spec(": > out", ["out"]),
            ]
        ).run()
        assert env.states() == {1: ["failed"], 2: ["done"], 3: ["done"]}
        assert env.end_of(1).reason.startswith("its outputs could not be packed: tar: 1/out: Cannot stat")
        assert env.end_of(1).found == (False,)
        assert names_of(env, 1) == ["log.1"]
        assert names_of(env, 3) == ["3/out"]
        assert env.left() == "finished"


def test_scratch_that_goes_away(tmp_path: Path) -> None:
    """That is not for the tasks to answer for: they are interrupted, and run again by whoever comes next."""
    with packed(tmp_path) as env:
        env.plan(
            [Spec(": > out", ["out"]), Spec(f"rm -rf '{tmp_path}/{SCRATCH}'; : > '{tmp_path}/{SCRATCH}'", [])]
        ).run()
        assert env.states()[1] == ["interrupted"]
        assert (env.left() or "").startswith("no space is left in the scratch folder")
        (tmp_path / SCRATCH).unlink()
        (tmp_path / "go").touch()
        env.run("1-1")
        assert env.states()[1][-1] == "done"


def test_a_full_environment(tmp_path: Path, small_disk: Path) -> None:
    """Nothing is done that is not packed whole, and what was packed before stays as it was."""
    with packed(small_disk, scratch=[f"{tmp_path}/{SCRATCH}"]) as env:
        env.temp = tmp_path
        env.plan([Spec("echo 1 > out", ["out"])], [Spec("head -c 4000000 /dev/zero > out", ["out"])] * 2)
        env.run()
        assert env.states() == {1: ["done"], 2: ["interrupted"], 3: ["interrupted"]}
        assert env.left() == "no space is left"
        assert content_of(env, "1/out") == "1\n"
        sizes = [path.stat().st_size for path in (env.root / "work").glob("000002*.tar")]
        assert sizes in ([], [0])


@pytest.mark.parametrize("program", ["tee", "cksum"])
def test_killed_while_it_packs(tmp_path: Path, program: str) -> None:
    """Between what is appended and the records that name it: it is run again, and nothing is mixed up."""
    tools = tmp_path / "tools"
    tools.mkdir()
    real = f"/usr/bin/{program}"
    once = f'[[ -e {tmp_path}/once ]] && exec {real} "$@"\n: > {tmp_path}/once'
    (tools / program).write_text(f'#!/bin/bash\n{once}\n{real} "$@"\nkill -9 -$PPID 0\n')
    (tools / program).chmod(0o700)
    with packed(tmp_path) as env:
        env.plan([Spec(f"echo {number} > out; echo {number}", ["out"]) for number in (1, 2)])
        manager = env.start(env={"PATH": f"{tools}:{os.environ['PATH']}"})
        wait_until((tmp_path / "once").exists, "the piece")
        manager.kill()
        assert env.states() == {}
        (env.root / f"exec/beats/{manager.id}-{ENVIRONMENT_ID}.end").touch()
        env.run("1-1")
        assert env.states() == {1: ["done"], 2: ["done"]}
        claims = {env.end_of(task).claim for task in (1, 2)}
        assert claims == {full_claim("000001.2")}
        assert [content_of(env, f"{task}/out", task) for task in (1, 2)] == ["1\n", "2\n"]


def test_leaving_in_order(tmp_path: Path) -> None:
    """What has ended is packed before a manager leaves."""
    with packed(tmp_path) as env:
        env.plan([Spec(": > out", ["out"]), Spec(f"{holding(tmp_path)}; : > out", ["out"]), Spec("true")])
        manager = env.start()
        wait_until(lambda: bool(list(tmp_path.glob("at-work.*"))), "the second task")
        env.leave(manager, tmp_path, signal.SIGTERM)
        assert env.states() == {1: ["done"], 2: ["done"]}
        assert names_of(env, 2) == ["1/out", "2/out"]
        assert is_scratch_empty(tmp_path)


def test_it_needs_gnu_tar(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/tar").write_text("#!/bin/bash\necho other\n")
    (tmp_path / "tools/tar").chmod(0o700)
    with packed(tmp_path) as env:
        env.plan(["true"]).run(env={"PATH": f"{tmp_path}/tools:{os.environ['PATH']}"})
        assert env.left() == "pack = true needs GNU tar, which is not installed here"
        assert env.ended() == []


# ---- the task after all others ----


def with_summary(env: ManualEnvironment, *chunks: list[Spec | str]) -> ManualEnvironment:
    return with_final(env, chunks, summary(env))


def test_the_last_task_finds_what_was_packed(tmp_path: Path) -> None:
    with packed(tmp_path, slots=3) as env:
        tasks: list[Spec | str] = [Spec(f"echo {number} > o; echo said", ["o"]) for number in range(1, 41)]
        with_summary(env, tasks[:20], tasks[20:30], tasks[30:]).run()
        assert [env.states()[41], env.left()] == [["done"], "finished"]
        assert sorted(map(int, content_of(env, "41/all", 41).split())) == list(range(1, 41))
        assert content_of(env, "41/tasks.tsv", 41).count("\tdone\t") == 40
        assert in_work(env) == [f"00000{chunk}.1.{ENVIRONMENT_ID}.tar" for chunk in (1, 2, 3, 4)]
        assert is_scratch_empty(tmp_path)


@pytest.mark.parametrize("was_packed", [False, True])
def test_pack_may_change_between_two_managers(tmp_path: Path, *, was_packed: bool) -> None:
    """What was left as files, or packed, is found all the same."""
    with packed(tmp_path) as env:
        with_summary(env, [Spec("echo 1 > o", ["o"])], [Spec("echo 2 > o", ["o"])])
        env.run(pack=int(was_packed), last_chunk=1, final_chunk=0)
        env.run("1-1", pack=int(not was_packed))
        assert env.states() == {1: ["done"], 2: ["done"], 3: ["done"]}
        text = env.output("all", 3, "000003.1") if was_packed else content_of(env, "3/all", 3)
        assert text == "1\n2\n"


def test_the_last_task_finds_what_stands_before_much_else(tmp_path: Path) -> None:
    """What is read from the midst of an archive ends long before that does: whoever feeds it may be cut off."""
    with packed(tmp_path) as env:
        large = "head -c 1000000 /dev/zero"
        apart = "rm ../1/o; echo 4 > o"  # each is a piece of its own then
        tasks = [Spec("echo 1 > o", ["o"]), Spec(f"{large} > o", ["o"]), Spec(f"{large}; exit 3"), Spec(apart, ["o"])]
        with_final(env, [tasks], summary(env), final_needs_done=0).run()
        assert env.states() == {1: ["failed"], 2: ["done"], 3: ["failed"], 4: ["done"], 5: ["done"]}, env.left()
        assert content_of(env, "5/all", 5) == "\0" * 1_000_000 + "4\n"


@pytest.mark.parametrize("harm", ["torn", "zeros", "gone"])
def test_no_summary_of_what_is_damaged(tmp_path: Path, harm: str) -> None:
    with packed(tmp_path) as env:
        with_summary(env, [Spec("echo 1 > o", ["o"])], [Spec("echo 2 > o", ["o"])])
        env.run(last_chunk=2, final_chunk=0)
        archive = env.root / env.layout.packed(full_claim("000002.1"))
        data = archive.read_bytes()
        at = data.index(b"2\n")
        harmed = {"torn": data[: at + 1], "zeros": data[:at] + b"\0\0" + data[at + 2 :]}
        if harm == "gone":
            archive.unlink()
        else:
            archive.write_bytes(harmed[harm])
        env.run("1-1")
        assert 3 not in env.states()
        damaged = f"the outputs of task 2 are in a part of {archive} that is damaged"
        why = f"dd: failed to open '{archive}': No such file or directory" if harm == "gone" else damaged
        assert env.left("1-1") == f"the results of the other tasks cannot be gathered: {why}"
        assert damaged in env.complaints("1-1")


def test_no_summary_where_scratch_is_full(tmp_path: Path, small_disk: Path) -> None:
    with packed(tmp_path, scratch=[str(small_disk)]) as env:
        fill = f"cat /dev/zero > '{small_disk}/filler'"
        with_summary(env, [Spec("head -c 100000 /dev/zero > o", ["o"])], [f"{fill} || true"])
        assert env.run().states() == {1: ["done"], 2: ["done"]}
        assert env.left() == f"no space is left in the scratch folder {small_disk}"
        (small_disk / "filler").unlink()
        env.run("1-1")
        assert env.states() == {1: ["done"], 2: ["done"], 3: ["done"]}


def test_what_the_killed_leave_in_scratch_is_removed(tmp_path: Path) -> None:
    """By the next manager on that node; but not as long as a slot of theirs still runs a task there."""
    with packed(tmp_path, slots=1) as env:
        once = f'[[ -e "{tmp_path}/once" ]] || {{ : > "{tmp_path}/once"; {holding(tmp_path)}; }}'
        env.plan([Spec(f"{once}; : > out", ["out"])], [Spec(": > out", ["out"])])
        manager = env.start()
        wait_until(lambda: at_work(tmp_path) == 1, "the task")
        os.kill(manager.pid, signal.SIGKILL)
        manager.process.wait()
        before = set((tmp_path / SCRATCH).iterdir())
        second = env.start("1-1")
        wait_until(lambda: env.states() == {2: ["done"]}, "the other task")
        assert before <= set((tmp_path / SCRATCH).iterdir())
        (env.root / f"exec/beats/{full_id(manager.id)}.end").touch()
        second.wait()
        assert env.states() == {1: ["done"], 2: ["done"]}
        assert before == set((tmp_path / SCRATCH).iterdir())
        (tmp_path / "go").touch()
        wait_until(lambda: not in_session(manager.pid), "the end of what the first ran")
        env.run("1-2")
        assert is_scratch_empty(tmp_path)


def test_slots_do_not_write_into_each_others_records(tmp_path: Path) -> None:
    """Those of a chunk are more than bash writes at once; each line is whole all the same."""
    library = (templates_folder() / "manager/records.sh").read_text()
    many = 'for name in a b c d; do for ((n = 0; n < 60; n++)); do append "${text//NAME/$name}"; done & done; wait'
    text = "".join(f"NAME{number}{'x' * 100}é\n" for number in range(128))
    script = f"{library}\nCACHE={tmp_path}/cache text=$1\n{many}"
    subprocess.run([BASH, "-uc", script, "bash", text], check=True, timeout=100)
    lines = (tmp_path / "cache").read_text().splitlines()
    wanted = {f"{name}{number}{'x' * 100}é" for name in "abcd" for number in range(128)}
    assert len(lines) == 4 * 60 * 128
    assert set(lines) == wanted
