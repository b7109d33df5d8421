"""One manager and its tasks: what becomes of a task, where it runs, and what stays of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.records import read_task_reason
from locusts_fab.model.tasks import TaskReason
from tests.support.managers import BOTH_WAYS, ManualEnvironment, Spec, holding, printed_by
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

# ---- what becomes of a task ----


@pytest.mark.parametrize(
    ("command", "outputs", "state", "exit_code", "reason"),
    [
        (":", [], "done", 0, ""),
        ("echo 1 > o", ["o"], "done", 0, ""),
        ("mkdir o", ["o"], "done", 0, ""),
        (": > .o", [".o"], "done", 0, ""),
        ("mkdir -p a/b; : > a/b/o; : > o", ["a/b/o", "o"], "done", 0, ""),
        ("exit 3", [], "failed", 3, "exit 3"),
        ("false", [], "failed", 1, "exit 1"),
        ("printf '1%%\\r2%%\\r'; echo loading; echo Error: no; echo bye; exit 3", [], "failed", 3, "exit 3: Error: no"),
        ("seq 5000; exit 3", [], "failed", 3, "exit 3: 5000"),
        ("echo Error: no rows", ["o"], "failed", 0, "missing output (Error: no rows)"),
        ("exit 255", [], "failed", 255, "exit 255"),
        (": > o; exit 4", ["o"], "failed", 4, "exit 4"),
        (":", ["o"], "failed", 0, "missing output"),
        (": > o", ["o", "p"], "failed", 0, "missing output"),
        ("ln -s nowhere o", ["o"], "failed", 0, "missing output"),
        ('cd /; rm -rf "$OLDPWD"', ["o"], "failed", 0, "missing output"),
        ("no-such-program", [], "failed", 127, "exit 127: bash: line 1: no-such-program: command not found"),
        ("/etc/passwd", [], "failed", 126, "exit 126: bash: line 1: /etc/passwd: Permission denied"),
        ("if then", [], "failed", 2, "exit 2: bash: -c: line 1: syntax error near unexpected token `then'"),
        ("kill -SEGV $$", [], "failed", 139, "signal 11"),
        ("kill -KILL $$", [], "failed", 137, "signal 9"),
        ("kill -TERM $$", [], "failed", 143, "signal 15"),
        ("kill -HUP 0", [], "failed", 129, "signal 1"),
        ("exit 200", [], "failed", 200, "exit 200"),
    ],
)
def test_what_becomes_of_a_task(
    tmp_path: Path, command: str, outputs: list[str], state: str, exit_code: int, reason: str
) -> None:
    with ManualEnvironment(tmp_path) as env:
        end = env.plan([Spec(command, outputs)]).run().end_of()
        assert (end.state, end.exit_code, end.reason) == (state, exit_code, reason)
        assert len(end.found) == len(outputs)
        assert env.left() == "finished"
        assert env.has_left_in_order()


#: What the shell of a task takes for an end, and what it takes for one only if commands are strict.
STRICTNESS = [
    ("false\n: > o", 1, 0),
    ("cp no-such-file here; echo fine > o", 1, 0),
    ("no-such-program\necho fine > o", 127, 0),
    ("cd no-such-folder; echo fine > o", 1, 0),
    ("x=$(false); : > o", 1, 0),
    ("no-such-program | cat > o", 127, 0),
    ("false | cat > o\n:", 1, 0),
    ("(exit 9); : > o", 9, 0),
    ("if false; then :; fi; false || : > o", 0, 0),
    ("[[ -e o ]] && :; : > o", 0, 0),
    ("set +e; false; : > o", 0, 0),
    ("exit 3", 3, 3),
]


@pytest.mark.parametrize(("command", "strict", "loose"), STRICTNESS)
def test_a_line_that_fails_ends_the_task_unless_commands_are_loose(
    tmp_path: Path, command: str, strict: int, loose: int
) -> None:
    for is_strict, status in ((1, strict), (0, loose)):
        with ManualEnvironment(tmp_path, f"env{is_strict}", strict=is_strict) as env:
            end = env.plan([command]).run().end_of()
            state, reason = ("failed", f"exit {status}") if status else ("done", "")
            assert (end.state, end.exit_code, end.reason.partition(": ")[0]) == (state, status, reason)


#: Commands that end with 141, and whether that comes of a pipe.
BROKEN_PIPES = [
    ("yes | head -n 1 > o", True),
    ("yes | head -n 1 > o\necho more >> o", True),
    ("seq 1000000 | sort | (exec head -n 1) > o", True),
    ("yes | tee copy | head -n 2", True),
    ("kill -PIPE $$", False),
    ("false || kill -PIPE $$", False),
]


@pytest.mark.parametrize(("command", "is_told"), BROKEN_PIPES)
def test_a_broken_pipe_is_told_as_what_it_is(tmp_path: Path, command: str, *, is_told: bool) -> None:
    with ManualEnvironment(tmp_path) as env:
        end = env.plan([command]).run().end_of()
        assert (end.state, end.exit_code) == ("failed", 141)
        assert read_task_reason(end.reason) is (TaskReason.BROKEN_PIPE if is_told else TaskReason.SIGNAL)
        for words in ("`| head`", "|| [[ $? == 141 ]]", "strict = false"):
            assert (words in end.reason) == is_told


@pytest.mark.parametrize("strict", [1, 0])
def test_both_ways_out_of_a_broken_pipe(tmp_path: Path, strict: int) -> None:
    command = f"yes | head -n 1 > o{' || [[ $? == 141 ]]' if strict else ''}\necho more >> o"
    with ManualEnvironment(tmp_path, strict=strict) as env:
        end = env.plan([Spec(command, ["o"])]).run().end_of()
        assert (end.state, env.output("o")) == ("done", "y\nmore\n")


def test_outputs_are_told_one_by_one(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        end = env.plan([Spec(": > b; : > d", ["a", "b", "c", "d"])]).run().end_of()
        assert (end.state, end.found) == ("failed", (False, True, False, True))


def test_time_outs(tmp_path: Path) -> None:
    """Whatever a task does with its TERM, it timed out; five seconds later it is made to end."""
    commands = [
        "sleep 60",
        "trap 'exit 0' TERM; while :; do sleep 0.05; done",
        "trap 'exit 3' TERM; while :; do sleep 0.05; done",
        "trap '' TERM; while :; do sleep 0.05; done",
        "kill -STOP $$",
        "sleep 0.1",
    ]
    with ManualEnvironment(tmp_path, slots=len(commands), timeout_us=3_000_000) as env:
        env.plan(*([command] for command in commands)).run()
        ends = [env.end_of(task) for task in range(1, len(commands) + 1)]
        assert [end.exit_code for end in ends] == [143, 0, 3, 137, 143, 0]
        assert [end.reason.split()[:1] for end in ends] == [["timeout"]] * 5 + [[]]
        assert [end.state for end in ends] == ["failed"] * 5 + ["done"]


def test_a_task_that_was_stopped_for_a_while(tmp_path: Path) -> None:
    stopped = r"until grep -q '^State:\s*T' /proc/$$/status; do sleep 0.02; done"
    with ManualEnvironment(tmp_path) as env:
        env.plan([f"({stopped}; kill -CONT $$) & kill -STOP $$; exit 7"]).run()
        assert env.end_of().reason == "exit 7"


@pytest.mark.parametrize("packed", [False, True])
def test_attempts_get_clean_sandboxes(tmp_path: Path, *, packed: bool) -> None:
    """Each attempt fails, has what the inputs were at first, and nothing of the one before."""
    command = "ls -A; cat in; echo changed > in; : > trace; exit 5"
    with ManualEnvironment(tmp_path, has_inputs=1, retries=2, keep="all") as env:
        env.plan([Spec(command, ["trace"], {"in": "first\n"})]).pack(inputs=packed).run()
        assert env.states() == {1: ["retry", "retry", "failed"]}
        assert [end.attempt for end in env.ended()] == [1, 2, 3]
        assert {env.log(attempt=attempt) for attempt in (1, 2, 3)} == {"in\nfirst\n"}
        assert env.end_of().found == (True,)


def test_no_attempt_follows_a_success(tmp_path: Path) -> None:
    command = f"[[ -e {tmp_path}/once ]] || {{ : > {tmp_path}/once; exit 1; }}"
    with ManualEnvironment(tmp_path, retries=5) as env:
        env.plan([command, "true"]).run()
        assert env.states() == {1: ["retry", "done"], 2: ["done"]}


# ---- what stays ----

DONE = "000001.1/1"
FAILED = "000001.1/2"
WITHOUT = "000001.1/3"
OF_DONE = [f"{DONE}/", "000001.1/log.1", f"{DONE}/a/", f"{DONE}/a/o", f"{DONE}/a/x", f"{DONE}/o"]


def test_a_task_with_the_number_of_one_that_was_ended(tmp_path: Path) -> None:
    """Numbers of processes come again: what was noted of an earlier task is nothing to a later one."""
    note = 'for notes in "$TMPDIR"/locusts.*/go; do echo "$$ {} timeout" > "${{notes%go}}kill.0"; done'
    with ManualEnvironment(tmp_path) as env:
        env.plan([f": > a; {note.format('')}", f": > a; {note.format(1.5)}"]).run()
        assert [(end.state, end.reason) for end in env.ended()] == [("done", ""), ("done", "")]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("none", [*OF_DONE, f"{FAILED}/"]),
        (
            "failed",
            [*OF_DONE, f"{FAILED}/", f"{FAILED}/.h", f"{FAILED}/in"],
        ),
        (
            "all",
            [
                *OF_DONE,
                f"{DONE}/.h",
                f"{DONE}/in",
                f"{FAILED}/",
                f"{FAILED}/.h",
                f"{FAILED}/in",
                f"{WITHOUT}/",
                f"{WITHOUT}/in",
            ],
        ),
    ],
)
@pytest.mark.parametrize("scratch", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_what_stays(tmp_path: Path, keep: str, kept: list[str], *, scratch: bool, packed: bool) -> None:
    """Outputs and what was printed stay, the sandbox if `keep` says so; wherever the task ran."""
    inputs = {"in": "x"}
    place = [str(tmp_path / "scratch")] if scratch else []
    with ManualEnvironment(tmp_path, keep=keep, has_inputs=1, scratch=place) as env:
        env.plan(
            [
                Spec("mkdir a; : > a/o; : > a/x; : > o; : > .h; echo printed", ["a/o", "o"], inputs),
                Spec(": > .h; exit 1", ["o"], inputs),
                Spec("true", [], inputs),
            ]
        ).pack(inputs=packed).run()
        assert env.kept() == sorted(kept)
        assert env.complaints() == ""


def test_many_files_to_remove(tmp_path: Path) -> None:
    """More names than fit on one command line."""
    folder = "f" * 200
    with ManualEnvironment(tmp_path) as env:
        env.plan([Spec(f": > o; seq 8500 | sed s/^/{folder}/ | xargs touch", ["o"])]).run()
        assert env.kept() == ["000001.1/1/", "000001.1/1/o"]
        assert env.complaints() == ""


def test_retried_attempts_stay_with_keep_failed_only(tmp_path: Path) -> None:
    for keep, kept in (
        ("none", ["000001.1/log.1", "000001.1/log.2"]),
        ("failed", ["000001.1/1.2/", "000001.1/1/", "000001.1/log.1", "000001.1/log.2"]),
    ):
        with ManualEnvironment(tmp_path, keep, retries=1, keep=keep) as env:
            assert env.plan(["echo printed; exit 1"]).run().kept() == kept


# ---- wrapped, and elsewhere ----


def test_container(tmp_path: Path) -> None:
    """Each task is wrapped in the words of CONTAINER, whatever they hold."""
    wrapper = tmp_path / "run it"
    wrapper.write_text('#!/bin/bash\nprintf "<%s>" "${@:1:3}"\nshift 3\nexec "$@"\n')
    wrapper.chmod(0o700)
    with ManualEnvironment(tmp_path, container=[str(wrapper), "exec", "", "$(touch x)"], program="echo") as env:
        env.plan(["echo 'a b'", "echo $((6*7)); exit 3"]).run()
        assert (env.log(1), env.log(2)) == ("<exec><><$(touch x)>a b\n", "<exec><><$(touch x)>42\n")
        assert env.states() == {1: ["done"], 2: ["failed"]}


@pytest.mark.parametrize("scratch", ["TMP/scratch", "$NODE_DISK", "${NODE_DISK}", "$NODE_DISK/below/it", "$SCRATCH"])
def test_scratch(tmp_path: Path, scratch: str) -> None:
    """Tasks run there; afterwards nothing is left there, and all is where it would be without scratch."""
    disk = tmp_path / "scratch"
    disk.mkdir()
    command = "pwd; cat in > out; exit $1"
    with ManualEnvironment(tmp_path, scratch=[scratch.replace("TMP", str(tmp_path))], has_inputs=1, retries=1) as env:
        env.plan([Spec(f"set -- {status}; {command}", ["out"], {"in": "x"}) for status in (0, 1)])
        env.run(env={"NODE_DISK": str(disk), "SCRATCH": str(disk)})
        assert env.states() == {1: ["done"], 2: ["retry", "failed"]}
        assert all(env.log(*where).startswith(f"{disk}/") for where in ((1,), (2,), (2, "000001.1", 2)))
        assert env.output("out") == "x"
        assert not [path for path in disk.rglob("*") if path.name not in {"below", "it"}]
        assert env.complaints() == ""


def test_programs_that_complain_beside_what_they_do(tmp_path: Path) -> None:
    """As all do where LD_PRELOAD names a library that is not there: what they say is no path."""
    with ManualEnvironment(tmp_path, scratch=[str(tmp_path / "scratch")]) as env:
        env.plan([Spec("pwd; echo x > out", ["out"])]).run(env={"LD_PRELOAD": "/no/such/library.so"})
        assert env.states() == {1: ["done"]}
        assert env.output("out") == "x\n"


def test_two_swarms_share_a_scratch_disk(tmp_path: Path) -> None:
    """They have the same task numbers, and managers of the same name."""
    envs = [ManualEnvironment(tmp_path, name, scratch=[str(tmp_path / "scratch")]) for name in ("one", "two")]
    with envs[0], envs[1]:
        for env in envs:
            name = env.root.name
            env.plan([Spec(f'echo {name} >> out; : > "{tmp_path}/at.{name}"; {holding(tmp_path)}; cat out', ["out"])])
        managers = [env.start() for env in envs]
        wait_until(lambda: len(list(tmp_path.glob("at.*"))) == 2, "both tasks")
        (tmp_path / "go").touch()
        for manager in managers:
            manager.wait()
        assert [env.log() for env in envs] == ["one\n", "two\n"]


@pytest.mark.parametrize(
    ("scratch", "why"),
    [
        ("$NO_SUCH_VARIABLE", "$NO_SUCH_VARIABLE: NO_SUCH_VARIABLE is not set on this node"),
        ("${NO_SUCH_VARIABLE}/x", "${NO_SUCH_VARIABLE}/x: NO_SUCH_VARIABLE is not set on this node"),
        ("/dev/null/x", "mkdir: cannot create directory '/dev/null': Not a directory"),
        ("/dev/null/a\tb", "Not a directory"),
    ],
)
def test_scratch_that_cannot_be(tmp_path: Path, scratch: str, why: str) -> None:
    """Nothing is run in another place, which nobody has named; and the reason says what is wrong."""
    with ManualEnvironment(tmp_path, scratch=[scratch]) as env:
        env.plan(["true"]).run(env={"LC_ALL": "C"})
        assert env.ended() == []
        assert (env.left() or "").startswith("the scratch folder cannot be made: ")
        assert why in (env.left() or "").replace("\u2018", "'").replace("\u2019", "'")
        assert not list(env.root.glob("exec/claims/*.1"))


def test_another_scratch_folder(tmp_path: Path) -> None:
    """Where the first cannot be had, the next that the config names is taken, and nobody has to hear of it."""
    places = ["$NO_SUCH_VARIABLE", "/dev/null/x", f"{tmp_path}/a b", f"{tmp_path}/never"]
    with ManualEnvironment(tmp_path, scratch=places) as env:
        env.plan(["pwd"]).run()
        assert env.log().startswith(f"{tmp_path}/a b/locusts.")
        assert env.complaints() == ""
    with ManualEnvironment(tmp_path, "two", scratch=places[:2]) as env:
        env.plan(["true"]).run(env={"LC_ALL": "C"})
        assert "NO_SUCH_VARIABLE is not set on this node; mkdir: cannot create directory" in (env.left() or "")
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("keep", ["none", "failed", "all"])
@pytest.mark.parametrize("outputs", [[], ["out/1"]])
def test_one_tree_for_all_tasks(tmp_path: Path, keep: str, outputs: list[str]) -> None:
    """They find what is in it and what others made of it; nothing in it is ever removed, nor is it copied."""
    tree = tmp_path / "tr ee"
    (tree / "out").mkdir(parents=True)
    (tree / ".hidden").write_text("x")
    (tree / "in").write_text("text\n")
    command = "cat in; pwd; cat .hidden > out/$N; [[ -e once ]] || { : > once; exit 1; }"
    with ManualEnvironment(tmp_path, tree=str(tree), keep=keep, retries=1, slots=2) as env:
        env.plan([Spec(f"N={number}; {command}", outputs) for number in (1, 2)] + [Spec("exit 1", outputs)]).run()
        assert env.states() == {1: ["retry", "done"], 2: ["done"], 3: ["retry", "failed"]}
        assert env.log(2) == f"text\n{tree}\n"
        assert sorted(path.name for path in tree.rglob("*")) == [".hidden", "1", "2", "in", "once", "out"]
        assert not [path for path in env.root.glob("work/*/*") if path.is_dir() and not path.is_symlink()]
        assert env.complaints() == ""


# ---- what is left of a manager ----


@BOTH_WAYS
def test_what_a_task_left_running_is_ended(tmp_path: Path, *, is_direct: bool) -> None:
    """`run` waits for everything that the manager started, and would not come back in time."""
    command = "bash -c 'sleep 1000 & (trap \"\" TERM HUP; sleep 1000) & echo started'"
    assert printed_by(tmp_path, command, is_direct=is_direct) == "started\n"


def test_no_folder_is_left(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=3) as env:
        env.plan(["true"], ["false"], ["true"]).run()
        assert list(env.temp.iterdir()) == []


def test_without_tmpdir_there_is_another_place(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"]).run(env={"TMPDIR": f"{tmp_path}/nowhere"})
        assert env.states() == {1: ["done"]}
        assert not list(env.root.glob("exec/run.*"))


def test_tmpdir_may_be_relative(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path, slots=1, scratch=["$TMPDIR/disk"]) as env:
        (env.root / "near").mkdir()
        env.plan(["pwd", "sleep 1000", "pwd"]).run(env={"TMPDIR": "near"}, timeout_us=3_000_000)
        assert env.states() == {1: ["done"], 2: ["failed"], 3: ["done"]}
        assert env.log(1).startswith(f"{env.root}/near/disk/")
        assert [path.name for path in (env.root / "near").rglob("*")] == ["disk"]


# ---- what cannot be ----


@pytest.mark.parametrize("packed", [False, True])
def test_inputs_that_are_not_there(tmp_path: Path, *, packed: bool) -> None:
    """The task that lacks them fails, the others of its chunk run."""
    with ManualEnvironment(tmp_path, has_inputs=1) as env:
        env.plan([Spec("cat in", [], {"in": "1"}), Spec("cat in", [], {}), Spec("cat in", [], {"in": "3"})])
        env.pack(inputs=packed).run()
        assert env.states() == {1: ["done"], 2: ["failed"], 3: ["done"]}
        assert (env.end_of(2).exit_code, env.end_of(2).reason) == (126, "the sandbox could not be made")
        assert (env.log(1), env.log(3)) == ("1", "3")


def test_ordinary_variables_cost_nothing(tmp_path: Path) -> None:
    """None has the name of one of ours; else env(1) would have to give it back to each task."""
    ordinary = "HOME USER LOGNAME SHELL PWD OLDPWD LANG LC_ALL TERM EDITOR PAGER DISPLAY HOSTNAME MAIL HISTSIZE SHLVL"
    ordinary += " SSH_CONNECTION SSH_TTY XDG_RUNTIME_DIR LD_LIBRARY_PATH PYTHONPATH CONDA_PREFIX OMP_NUM_THREADS TMPDIR"
    ordinary += " CUDA_VISIBLE_DEVICES MODULEPATH LOADEDMODULES MANPATH LS_COLORS R_LIBS VIRTUAL_ENV PKG_CONFIG_PATH _"
    ordinary += " SLURM_JOB_ID SLURM_CPUS_ON_NODE SLURMD_NODENAME DBUS_SESSION_BUS_ADDRESS"
    (tmp_path / "env").write_text(f'#!/bin/bash\n: > "{tmp_path}/used"\nexec /usr/bin/env "$@"\n')
    (tmp_path / "env").chmod(0o755)
    variables = {name: os.environ.get(name, str(tmp_path)) for name in ordinary.split()}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with ManualEnvironment(tmp_path, "here") as env:
        assert env.plan(["true"]).run(env={**variables, **path}).states() == {1: ["done"]}
        assert not (tmp_path / "used").exists()
    with ManualEnvironment(tmp_path, "there") as env:
        env.plan(["true"]).run(env={**path, "ROOT": "x"})
        assert (tmp_path / "used").exists()


@pytest.mark.parametrize("name", ["env", "[e]nv *"])
def test_packed_inputs_where_there_is_no_tar(tmp_path: Path, name: str) -> None:
    """The node says so, and leaves every task to others."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "cat", "cp", "env", "ln", "mkdir", "mkfifo", "mktemp", "mv", "rm"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    with ManualEnvironment(tmp_path, name, has_inputs=1) as env:
        env.plan([Spec("cat in", [], {"in": "1"})]).pack().run(env={"PATH": str(tools)})
        assert (env.left(), env.states()) == ("inputs came packed, but tar is not installed here", {})
        assert env.run("1-1").states() == {1: ["done"]}


def test_a_plan_that_cannot_be_read(tmp_path: Path) -> None:
    """Its chunk is not taken for finished: somebody who can read it may still run it."""
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"], ["true"])
        (env.root / "exec/plan/000001").rename(tmp_path / "away")
        env.run()
        assert env.left() == "the plan is damaged"
        (tmp_path / "away").rename(env.root / "exec/plan/000001")
        assert env.run("1-1").states() == {1: ["done"], 2: ["done"]}
