"""What a task finds around it: folder, input, signals, variables, and names of any kind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from shlex import quote
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.config.given import OWN_VARIABLES
from tests.support.managers import BASH, BOTH_WAYS, ManualEnvironment, Spec, printed_by

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE_NAMES = [
    "a b", "it's", 'say "hi"', "$(touch x)", "`touch x`", "a;touch x", "a&b", "*", "-rf", "--", "a\nb", "a\tb", "a\\nb",
    "\\", "\\x41\\c", "%s%n", "~", "#", "{a,b}", "[a]", "!", "é", "\udcff\udcfe", " ", ".hidden", "…",
]  # fmt: skip


# ---- what a task finds around it ----


@BOTH_WAYS
@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("readlink /proc/self/fd/0", "/dev/null\n"),
        ("wc -c", "0\n"),
        ("ls /proc/self/fd", "0\n1\n2\n3\n"),  # 3 is the folder that it lists
        ("printf %s/ * .h*", "*/.h*/"),
        ("printf %s {a,b}", "ab"),
        ("printf %s ~root", "/root"),
    ],
)
def test_surroundings(tmp_path: Path, command: str, printed: str, *, is_direct: bool) -> None:
    assert printed_by(tmp_path, command, is_direct=is_direct) == printed


@BOTH_WAYS
def test_a_task_is_in_a_process_group_of_its_own(tmp_path: Path, *, is_direct: bool) -> None:
    pid, group = printed_by(tmp_path, "cut -d' ' -f1,5 /proc/self/stat", is_direct=is_direct).split()
    assert pid == group


@BOTH_WAYS
def test_signals_are_as_usual(tmp_path: Path, *, is_direct: bool) -> None:
    (line,) = printed_by(tmp_path, "grep SigIgn /proc/self/status", is_direct=is_direct).splitlines()
    inner = 0b11 << 31  # the C library's own two; it leaves them ignored in what posix_spawn starts, such as xdist's
    old = 0 if bash_version() >= (4, 3) else 1 << (signal.SIGINT - 1) | 1 << (signal.SIGQUIT - 1)  # it cannot do better
    assert int(line.split()[1], 16) & ~(inner | old) == 0


def bash_version() -> tuple[int, ...]:
    """Return the version of the bash that runs managers here."""
    words = [BASH, "-c", 'echo "${BASH_VERSINFO[0]} ${BASH_VERSINFO[1]}"']
    return tuple(map(int, subprocess.check_output(words, text=True, timeout=30).split()))


def test_tasks_differ_in_their_process(tmp_path: Path) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan(["echo $$ $PPID", "echo $$ $PPID"]).run()
        (first, slot), (second, same_slot) = env.log(1).split(), env.log(2).split()
        assert len({first, second, slot, str(env.announced().pid)}) == 4
        assert slot == same_slot


def test_direct_and_in_a_shell_come_to_the_same(tmp_path: Path) -> None:
    """One program with plain words needs no shell; nobody shall be able to tell."""
    commands = [
        "cat in", "cat *", "cat in > out", "cat < in", "cat < missing", "cat missing 2>&1", "cat -- 'i'n \"in\" i\\n",
        "cat in >> in2", "cat in > /nowhere/out", "cat in >", "cat in 2>",
        "cat in in in", "cat [a-z]n", "cat \t in  ", "cat /proc/self/comm",
    ]  # fmt: skip
    seen = []
    for program in ("", "cat"):
        with ManualEnvironment(tmp_path, f"env{program}", program=program, has_inputs=1, keep="all") as env:
            env.plan([Spec(command, ["out"], {"in": "text\n"}) for command in commands]).run()
            seen.append(
                [
                    (
                        end.state,
                        end.exit_code,
                        end.found,
                        env.log(end.task).splitlines()[:1] if end.log and end.exit_code == 0 else "",
                    )
                    for end in env.ended()
                ]
            )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("program", ["no-such-program", "cd", "if", "./mine", "-rf", "a b"])
def test_what_is_no_program_gets_a_shell(tmp_path: Path, program: str) -> None:
    with ManualEnvironment(tmp_path, program=program) as env:
        assert env.plan(["no-such-program", "true && true"]).run().states() == {1: ["failed"], 2: ["done"]}
        assert env.end_of(1).exit_code == 127


# ---- variables ----

#: Names that sites and users give to variables of theirs, and that this script might use too.
COMMON_NAMES = [
    "ROOT", "SCRATCH", "WORK", "PROGRAM", "CACHE", "RUN", "STATE", "PID", "TASKS", "SLOT", "OWNER", "CONTAINER", "KEEP",
    "MANAGER", "STATUS", "REASON", "name", "task", "command", "start", "index", "log", "line", "output", "OUTPUTS",
]  # fmt: skip


@pytest.mark.parametrize("is_from_config", [False, True])
def test_variables_arrive_as_they_are(tmp_path: Path, *, is_from_config: bool) -> None:
    values = dict(zip(COMMON_NAMES, HOSTILE_NAMES, strict=False))
    with ManualEnvironment(tmp_path, env=list(values.items()) if is_from_config else []) as env:
        env.plan(["env -0"]).run(env={} if is_from_config else values)
        seen = dict(entry.split("=", 1) for entry in env.log().split("\0")[:-1])
        assert {name: seen.get(name) for name in values} == values
        assert env.complaints() == ""


#: What a job finds in any case: sbatch(1), "OUTPUT ENVIRONMENT VARIABLES", and what a login and its session set.
OF_EVERY_JOB = {
    "ENVIRONMENT": "BATCH",
    "SLURM_JOB_ID": "12",
    "SLURM_ARRAY_TASK_ID": "0",
    "SLURM_CPUS_ON_NODE": "2",
    "SLURM_JOB_CPUS_PER_NODE": "2",
    "SLURM_SUBMIT_DIR": "/home/me",
    "SLURM_TOPOLOGY_ADDR": "node1",
    "SLURMD_NODENAME": "node1",
    "SBATCH_NO_REQUEUE": "1",
    "GPU_DEVICE_ORDINAL": "0",
    "HOSTNAME": "node1",
    "HOSTTYPE": "x86_64",
    "LOGNAME": "me",
    "USER": "me",
    "MAIL": "/var/mail/me",
    "LANG": "C.UTF-8",
    "TERM": "xterm",
    "EDITOR": "vi",
    "SSH_CLIENT": "10.0.0.1 5000 22",
    "SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22",
    "SSH_TTY": "/dev/pts/1",
    "XDG_SESSION_ID": "7",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus",
    "MODULEPATH": "/sw/modules",
    "LOADEDMODULES": "gcc/12",
    "MODULESHOME": "/sw/lmod",
    "LD_LIBRARY_PATH": "/sw/lib",
    "MANPATH": "/usr/share/man",
    "CONDA_DEFAULT_ENV": "base",
    "VIRTUAL_ENV": "/home/me/venv",
    "OMP_NUM_THREADS": "1",
}


def test_what_every_job_finds_puts_no_program_between_a_slot_and_its_tasks(tmp_path: Path) -> None:
    """It would take every task twice as long: a variable of this script must have none of these names."""
    (tmp_path / "bin").mkdir()
    between = tmp_path / "bin" / "env"
    between.write_text(f'#!/bin/bash\necho x >> {tmp_path}/between\nexec /usr/bin/env "$@"\n')
    between.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    with ManualEnvironment(tmp_path, program="cat") as env:
        env.plan(["cat /proc/self/environ"]).run(env={**OF_EVERY_JOB, "PATH": path})
        seen = dict(entry.split("=", 1) for entry in env.log().split("\0")[:-1])
        assert {name: seen.get(name) for name in OF_EVERY_JOB} == OF_EVERY_JOB
    assert not (tmp_path / "between").exists()


#: What would stop the manager, or mislead it, if it had them itself.
FOR_TASKS_ONLY = {
    "PATH": "/nowhere",
    "LD_PRELOAD": "/nowhere/lib.so",
    "TMPDIR": "/nowhere/at all",
    "IFS": "0123456789",
    "POSIXLY_CORRECT": "1",
    "LC_ALL": "C",
    "SECONDS": "7",
    "BASH_ENV": "/nowhere/env",
    "GLOBIGNORE": "*",
    "SLOTS": "99",
    "STOP": "/",
    "SHELL_WORDS": "x",
}


@pytest.mark.parametrize("names", [["PATH"], ["IFS", "SLOTS", "PATH"], list(FOR_TASKS_ONLY)], ids=" ".join)
def test_what_the_config_gives_tasks_is_nothing_to_the_manager(tmp_path: Path, names: list[str]) -> None:
    """Not even where it looks for the shell of a task."""
    values = [(name, FOR_TASKS_ONLY[name]) for name in names]
    with ManualEnvironment(tmp_path, slots=2, env=values, retries=1) as env:
        env.plan(
            ["printf '%s\\0' \"${!B@}\"; exec /usr/bin/env -0 2>/dev/null"], ["exit 3"], [Spec(": > out", ["out"])]
        ).run()
        assert env.states() == {1: ["done"], 2: ["retry", "failed"], 3: ["done"]}
        seen = dict(entry.split("=", 1) for entry in env.log().split("\0") if "=" in entry)
        # bash takes no IFS from anybody
        assert {name: seen.get(name) for name, _ in values if name != "IFS"} == {
            name: value for name, value in values if name != "IFS"
        }
        assert (env.complaints(), env.left()) == ("", "finished")


def test_a_program_that_slots_start_themselves_has_its_variables(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    tool = tmp_path / "tools" / "tool"
    tool.write_text('#!/bin/sh\necho "$0 $A,$B"\n')
    tool.chmod(0o755)
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "tools", other)
    values = [("PATH", f"{tmp_path}/tools:{os.environ['PATH']}"), ("A", "it's $1\n"), ("B", "")]
    with ManualEnvironment(tmp_path, program="tool", env=values) as env:
        env.plan(["tool x", "tool y"]).run(env={"PATH": f"{other}:{os.environ['PATH']}", "B": "b"})
        assert env.log() == f"{tool} it's $1\n,\n"


def test_tasks_see_nothing_of_the_manager(tmp_path: Path) -> None:
    shown = printed_by(tmp_path, "compgen -e; compgen -A function || true", is_direct=False)
    assert set(shown.split()) <= {"PATH", "TMPDIR", "SLURM_ARRAY_TASK_ID", "PWD", "SHLVL", "_", *TOLD}


def test_no_start_up_file_is_read_for_a_task(tmp_path: Path) -> None:
    """Some builds of bash read ~/.bashrc when they seem to be what an SSH server started."""
    (tmp_path / ".bashrc").write_text("echo noise\n", encoding="utf-8")
    env = {"SSH_CLIENT": "::1 50000 22", "HOME": str(tmp_path)}
    assert printed_by(tmp_path, "echo hello", is_direct=False, env=env) == "hello\n"


@BOTH_WAYS
def test_tasks_see_nothing_of_one_another(tmp_path: Path, *, is_direct: bool) -> None:
    """The same slot ran another task before, in another folder."""
    with ManualEnvironment(tmp_path, program="env" if is_direct else "") as env:
        env.plan(["env", "env"]).run()
        first, second = (env.log(task).splitlines() for task in (1, 2))
        assert [line for line in second if line not in first] == [
            f"PWD={env.root / 'work' / '000001.1.0123abcd' / '2'}"
        ]


# ---- what a task is told ----

#: The variables that tell a task what it is, and what it may use.
TOLD = (*OWN_VARIABLES, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def told(env: ManualEnvironment, task: int = 1, claim: str = "000001.1", attempt: int = 1) -> dict[str, str]:
    """Return what an attempt, which ran `env -0`, was told."""
    entries = env.log(task, claim, attempt).split("\0")
    seen = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    return {name: seen[name] for name in TOLD if name in seen}


def test_each_task_is_told_what_it_is(tmp_path: Path) -> None:
    ids = [*HOSTILE_NAMES, "x" * 5000]
    with ManualEnvironment(tmp_path, swarm="it's", slots=2, cpus_per_task=3, retries=1) as env:
        env.plan([Spec("env -0", id=name) for name in ids], [Spec("env -0; ((LOCUSTS_ATTEMPT == 2))", id="again")])
        env.run(env={"SLURMD_NODENAME": "n7", "LOCUSTS_TASK": "of an outer swarm", "MKL_NUM_THREADS": ""})
        last = len(ids) + 1
        assert env.states() == {task: ["done"] for task in range(1, last)} | {last: ["retry", "done"]}
        seen = [told(env, task) for task in range(1, last)]
        assert [each["LOCUSTS_TASK"] for each in seen] == ids
        assert {each.pop("LOCUSTS_SLOT") for each in seen} <= {"0", "1"}
        assert [{**each, "LOCUSTS_TASK": ""} for each in seen] == [
            {
                "LOCUSTS_SWARM": "it's",
                "LOCUSTS_TASK": "",
                "LOCUSTS_ATTEMPT": "1",
                "LOCUSTS_NODE": "n7",
                "LOCUSTS_CPUS": "3",
                "OMP_NUM_THREADS": "3",
                "OPENBLAS_NUM_THREADS": "3",
                "MKL_NUM_THREADS": "",
            }
        ] * len(ids)
        attempts = [told(env, last, "000002.1", attempt)["LOCUSTS_ATTEMPT"] for attempt in (1, 2)]
        assert (attempts, env.complaints()) == (["1", "2"], "")


@BOTH_WAYS
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_config_has_the_last_word_on_threads(tmp_path: Path, *, is_direct: bool, wrapped: bool) -> None:
    values: dict[str, Any] = {"container": ["env", "WRAPPED=1"]} if wrapped else {}
    values |= {"tree": str(tmp_path)} if wrapped else {}
    threads = [("OMP_NUM_THREADS", "7")]
    with ManualEnvironment(tmp_path, program="env" if is_direct else "", env=threads, **values) as env:
        env.plan([Spec("env -0", id="a b")]).run(env={"OMP_NUM_THREADS": "5", "MKL_NUM_THREADS": "6"})
        seen = told(env)
        assert [seen[name] for name in TOLD[-3:]] == ["7", "1", "6"]
        assert seen["LOCUSTS_TASK"] == "a b"


def test_slots_have_numbers_of_their_own(tmp_path: Path) -> None:
    """Two tasks that wait for each other run in two slots."""
    meet = (
        f': > "{tmp_path}/$LOCUSTS_TASK"; until [[ -e {tmp_path}/a && -e {tmp_path}/b ]]; do sleep 0.02; done; env -0'
    )
    with ManualEnvironment(tmp_path, slots=2) as env:
        env.plan([Spec(meet, id="a")], [Spec(meet, id="b")]).run()
        assert sorted(told(env, task, f"00000{task}.1")["LOCUSTS_SLOT"] for task in (1, 2)) == ["0", "1"]


# ---- odd names ----


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_odd_roots(tmp_path: Path, name: str) -> None:
    with ManualEnvironment(tmp_path, f"r{name}", has_inputs=1, scratch=f"{tmp_path}/s{name}") as env:
        env.plan([Spec("cat in > out", ["out"], {"in": "x"}), Spec("cat in", [], {"in": "y"})]).run()
        assert env.states() == {1: ["done"], 2: ["done"]}
        assert (env.output("out"), env.log(2)) == ("x", "y")
        assert env.complaints() == ""


@pytest.mark.parametrize("has_inputs", [0, 1])
def test_a_root_with_an_ampersand(tmp_path: Path, has_inputs: int) -> None:
    """`&` has a meaning of its own in some replacements of bash 5.2."""
    with ManualEnvironment(tmp_path, "R&D", has_inputs=has_inputs) as env:
        assert env.plan([Spec("true", [], {"in": "x"})]).run().states() == {1: ["done"]}


@pytest.mark.parametrize("packed", [False, True])
def test_odd_ids_inputs_and_outputs(tmp_path: Path, *, packed: bool) -> None:
    names = HOSTILE_NAMES
    with ManualEnvironment(tmp_path, has_inputs=1) as env:
        env.plan(
            [Spec(f"cat -- {quote(name)} > {quote('o' + name)}", ["o" + name], {name: name}, name) for name in names]
        )
        env.pack(inputs=packed).run()
        assert env.states() == {task: ["done"] for task in range(1, len(names) + 1)}
        assert [env.output("o" + name, task) for task, name in enumerate(names, 1)] == names


def test_odd_commands(tmp_path: Path) -> None:
    """What a command prints is what bash itself makes of it."""
    commands = [f"printf '%s|' {quote(name)} $((1+1))" for name in HOSTILE_NAMES]
    commands += ["printf '%s' '\n\t\\'\t\n# comment", "cat <<'E'\n\ttext \\t $x\nE", 'printf %s "${x-\\\\n}"', "-c", ""]
    with ManualEnvironment(tmp_path) as env:
        env.plan(commands).run()
        for task, command in enumerate(commands, 1):
            there = subprocess.run(["bash", "-c", "--", command], capture_output=True, check=False)
            assert env.end_of(task).exit_code == there.returncode
            assert (env.log(task) if env.end_of(task).log else "").startswith(os.fsdecode(there.stdout))
