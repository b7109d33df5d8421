"""What each key of locusts.toml takes, and the exact words with which everything else is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.load import load, load_config
from locusts_fab.errors import ConfigError
from tests.support.configs import CLUSTER, LOCAL, OTHERS, PAIRS, SWARM, TARGETS, problems_of, write

if TYPE_CHECKING:
    from pathlib import Path

DATE_RULE = "found 2024-01-02 without quotes, which is a date or time in TOML"
NAME_RULE = "a name is a letter or digit, then letters, digits, dots, dashes or underscores (100 at most)"
TIME_RULE = 'expected a time such as 90, "90s", "10m", "2h", "1d" or "1h30m", above 0 and at most 366 days'
SBATCH_RULE = 'expected an sbatch option such as "--hint=nomultithread"'
HOST_RULE = 'expected an ssh_config alias or "user@host:port", with no spaces and no leading dash'
VARIABLE_RULE = "expected the name of a shell variable: letters, digits and _, not beginning with a digit"


def test_every_documented_key_is_read(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, TARGETS + PAIRS + OTHERS))
    assert list(config.targets) == ["here", "cluster"]
    assert list(config.swarms) == ["pairs", "grid", "file", "sweep", "list", "world"]
    cluster, pairs = config.targets["cluster"], config.swarms["pairs"]
    assert cluster.container is not None
    assert cluster.container.options == ["--nv"]
    assert (cluster.slurm.mem, cluster.slurm.time, cluster.slurm.exclusive) == ("8000", "04:00:00", True)
    assert (pairs.timeout_s, pairs.env, pairs.breaker) == (600, {"OMP_NUM_THREADS": "1"}, 20)
    assert pairs.shared["sf2"] == '/data/it\'s "here".txt'
    assert config.swarms["world"].in_place


def test_numbers_and_booleans_become_the_text_they_were_written_as(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, TARGETS + OTHERS))
    assert config.swarms["grid"].args == [["1", "a"], ["2", "true"]]
    assert config.swarms["sweep"].sweep == {"temperature": ["280", "0.5", "1e-5", "1000.50"], "seed": ["1", "2", "3"]}


@pytest.mark.parametrize(
    ("text", "scheduler"),
    [
        (LOCAL, "none"),
        (CLUSTER, "slurm"),
        (CLUSTER + 'scheduler = "none"', "none"),
        (LOCAL + 'scheduler="slurm"', "slurm"),
    ],
)
def test_the_scheduler_follows_the_mode(tmp_path: Path, text: str, scheduler: str) -> None:
    assert load(write(tmp_path, f"{text}\n{SWARM}")).target.scheduler == scheduler


BAD: list[tuple[str, list[str]]] = [
    # targets
    (CLUSTER + "prot = 22", [
        'targets.t.prot: unknown key; did you mean port? Then write it into host = "user@host:port"',
    ]),
    (CLUSTER + "port = 22", ['targets.t.port: unknown key; write it into host = "user@host:port"']),
    (CLUSTER + "slot = 2", ["targets.t.slot: unknown key; did you mean slots?"]),
    (CLUSTER + 'partition = "p"', ["targets.t.partition: unknown key here; it belongs in [targets.NAME.slurm]"]),
    (CLUSTER + 'timeout = "2h"', ["targets.t.timeout: unknown key here; it belongs in [swarms.NAME]"]),
    (CLUSTER + 'slots = "4"', ['targets.t.slots: expected a whole number; found "4"; write 4, without quotes']),
    (CLUSTER + "slots = 1.5", ["targets.t.slots: expected a whole number; found 1.5"]),
    (CLUSTER + "slots = true", ["targets.t.slots: expected a whole number; found true"]),
    (CLUSTER + "slots = 0", ["targets.t.slots: expected at least 1; found 0"]),
    (CLUSTER + f"slots = 0x{'f' * 5000}", ["targets.t.slots: expected at most 10000; found a very long number"]),
    (CLUSTER + "nodes = -1", ["targets.t.nodes: expected at least 1; found -1"]),
    (CLUSTER + 'setup = "module load x"', [
        'targets.t.setup: expected an array, in brackets: ["…"]; found "module load x"; write ["module load x"]',
    ]),
    (CLUSTER + "setup = [1]", ['targets.t.setup[0]: expected text in quotes; found 1; write "1"']),
    (CLUSTER + 'known_hosts = "no"', ['targets.t.known_hosts: expected "strict" or "accept-new"; found "no"']),
    (CLUSTER + 'scratch = "a\\nb"', ['targets.t.scratch: must be one line; take the line break out; found "a\\nb"']),
    (CLUSTER + 'scheduler = "slrm"', [
        'targets.t.scheduler: expected "none" or "slurm"; found "slrm"; did you mean "slurm"?',
    ]),
    (CLUSTER + 'scheduler = "none"\nnodes = 2', ['targets.t.nodes: more than one node needs scheduler = "slurm"']),
    (CLUSTER + 'container = "x.sif"', [
        'targets.t.container: expected a table; found "x.sif"; write container = { image = "path" }',
    ]),
    (CLUSTER + 'container = { runtime = "docker" }', [
        ('targets.t.container.runtime: expected "apptainer" or "singularity"; found "docker"; '
        'apptainer runs its images: image = "docker://NAME"'),
        "targets.t.container.image: missing; this table needs it",
    ]),
    (CLUSTER + 'container = { image = "x", optoins = [] }', [
        "targets.t.container.optoins: unknown key; did you mean options?",
    ]),
    ('[targets.t]\nhost = "h"', ['targets.t.mode: missing; expected "local", "remote" or "remote-shared"']),
    ('[targets.t]\nmode = "remot"', [
        'targets.t.mode: expected "local", "remote" or "remote-shared"; found "remot"; did you mean "remote"?',
    ]),
    ('[targets.t]\nmode = "remote"', [
        'targets.t.host: missing; mode = "remote" needs it',
        'targets.t.root: missing; mode = "remote" needs it',
    ]),
    ('[targets.t]\nmode = "remote"\nhots = "h"', [
        "targets.t.hots: unknown key; did you mean host?",
        'targets.t.root: missing; mode = "remote" needs it',
    ]),
    (CLUSTER.replace("remote", "remote-shared"), [
        'targets.t.shared_root: missing; mode = "remote-shared" needs it: the folder root as this machine sees it',
    ]),
    (CLUSTER.replace('"h"', '"-oProxyCommand=x"'), [f'targets.t.host: {HOST_RULE}; found "-oProxyCommand=x"']),
    (CLUSTER.replace('"h"', '"a b"'), [f'targets.t.host: {HOST_RULE}; found "a b"']),
    *[
        (CLUSTER.replace('"h"', json.dumps(host)), [f"targets.t.host: {why}; found {json.dumps(host)}"])
        for host, why in (
            ("x;touch${IFS}y", "no host has ';' in its name, and no user; ssh refuses it too"),
            ("x$(y)", "no host has '$' in its name, and no user; ssh refuses it too"),
            ("me`y`@x", "no host has '`' in its name, and no user; ssh refuses it too"),
            ("a|b", "no host has '|' in its name, and no user; ssh refuses it too"),
            ("ssh://x", "no host has '/' in its name, and no user; ssh refuses it too"),
            ("a,b", "no host has ',' in its name, and no user; ssh refuses it too"),
            ("me@-x", HOST_RULE),
            ("x:0", "a port is a number from 1 to 65535"),
            ("x:ssh", "a port is a number from 1 to 65535"),
        )
    ],
    (CLUSTER.replace('"h"', '""'), ['targets.t.host: must not be empty; found ""']),
    (LOCAL + 'host = "h"\nknown_hosts = "strict"', [
        'targets.t.host: not in mode = "local"; take it out, or choose mode = "remote"',
        'targets.t.known_hosts: not in mode = "local"; take it out, or choose mode = "remote"',
    ]),
    (LOCAL + '[targets.t.slurm]\npartition = "p"', ['targets.t.slurm: only with scheduler = "slurm"']),
    (CLUSTER + "[targets.t.slurm]\nmem-per-cpu = 3", [
        "targets.t.slurm.mem-per-cpu: unknown key; did you mean mem_per_cpu?",
    ]),
    (CLUSTER + "[targets.t.slurm]\nnodes = 3", [
        "targets.t.slurm.nodes: unknown key here; it belongs in [targets.NAME]",
    ]),
    (CLUSTER + "[targets.t.slurm]\ntime = 04:00:00", [
        "targets.t.slurm.time: expected text in quotes; found 04:00:00 without quotes, which is a date or time in TOML",
    ]),
    (CLUSTER + '[targets.t.slurm]\nqos = "a\\n#SBATCH --x"', [
        'targets.t.slurm.qos: must be one line; take the line break out; found "a\\n#SBATCH --x"',
    ]),
    (CLUSTER + "[targets.t.slurm]\nexclusive = 3", [
        'targets.t.slurm.exclusive: expected true or false, without quotes, "user", "mcs" or "topo"; found 3',
    ]),
    (CLUSTER + '[targets.t.slurm]\nextra = ["hint"]', [f'targets.t.slurm.extra[0]: {SBATCH_RULE}; found "hint"']),
    (CLUSTER + "[targets.t.slurm]\nntasks_per_core = 0", [
        "targets.t.slurm.ntasks_per_core: expected at least 1; found 0",
    ]),
    ("[targets]\nt = 3", ["targets.t: expected a table, [targets.NAME]; found 3"]),
    ('[targets."a/b"]\nmode = "local"', [f'targets."a/b": {NAME_RULE}']),
    ('[targets."a\\nb"]\nmode = "local"', [f'targets."a\\nb": {NAME_RULE}']),
    ('[target.t]\nmode = "local"', ["target: unknown key; did you mean targets?"]),
    # names between tables
    (LOCAL + '[swarms.x]\ntarget = "tt"\ncommand_file = "c"', [
        'swarms.x.target: no target named "tt"; did you mean t?',
    ]),
    ('[swarms.x]\ntarget = "far"\ncommand_file = "c"', [
        'swarms.x.target: no target named "far"; the targets are here',
    ]),
]  # fmt: skip

BAD_SWARMS: list[tuple[str, list[str]]] = [
    ("", [
        "swarms.x.command: missing; say what each task runs, here or in command_file",
        "swarms.x: nothing makes tasks; give inputs with <id>, args, args_file, sweep or command_file",
    ]),
    ('comand = "c"\nargs = [[1]]', ["swarms.x.comand: unknown key; did you mean command?"]),
    ('cmd = "c"\nargs = [[1]]', ["swarms.x.cmd: unknown key; it is called command"]),
    ('command = "c"', ["swarms.x: nothing makes tasks; give inputs with <id>, args, args_file, sweep or command_file"]),
    ('command = "c"\ninputs = ["a.txt"]', [
        "swarms.x.inputs: none has a handle, so nothing makes tasks; put <id> where the names differ, or give args",
    ]),
    ('command = "c"\nargs = [[1]]\nsweep = { a = [1] }', [
        "swarms.x: several keys make tasks (args, sweep); keep one of them",
    ]),
    ('command = "c"\ncommand_file = "f"', ["swarms.x.command_file: not together with command; keep one of them"]),
    ('command_file = "f"\ninputs = ["<id>"]', [
        "swarms.x.inputs: not with command_file; files that its commands read go into shared",
    ]),
    ('command = " "\nargs = [[1]]', ['swarms.x.command: must not be empty; found " "']),
    ('command = "a\\u0000"\nargs = [[1]]', [r'swarms.x.command: the character NUL cannot be used here; found "a\x00"']),
    ('command = "c"\nargs = []', ["swarms.x.args: expected at least one; found none"]),
    ('command = "c"\nargs = ["a"]', [
        'swarms.x.args[0]: expected an array, in brackets: ["…"]; found "a"; write ["a"]',
    ]),
    ('command = "c"\nargs = [["a", ["b"]]]', [
        'swarms.x.args[0][1]: expected text in quotes; found an array; write one text, such as "b"',
    ]),
    (f'command = "c"\nargs = [[0x{"f" * 5000}]]', [
        "swarms.x.args[0][0]: too long a number; put it in quotes; found a very long number",
    ]),
    ('command = "c"\nargs = [[2024-01-02]]', [
        f"swarms.x.args[0][0]: expected text in quotes; {DATE_RULE}",
    ]),
    ('command = "c"\nsweep = { id = [1], arg3 = [1], q = [], "a b" = [1] }', [
        "swarms.x.sweep.id: <id> has a meaning of its own; choose another name",
        "swarms.x.sweep.arg3: <arg3> has a meaning of its own; choose another name",
        "swarms.x.sweep.q: expected at least one; found none",
        f'swarms.x.sweep."a b": {NAME_RULE}',
    ]),
    ('command_file = "f"\noutputs = ["/a", "b/../c", "", "./", "\\u0000"]', [
        ("swarms.x.outputs[0]: must be a relative path: of an output, to the folder that its task runs in; of workdir,"
         ' to root; found "/a"'),
        'swarms.x.outputs[1]: must not lead upward; take the .. out; found "b/../c"',
        'swarms.x.outputs[2]: must not be empty; found ""',
        'swarms.x.outputs[3]: names no file; found "./"',
        r'swarms.x.outputs[4]: the character NUL cannot be used here; found "\x00"',
    ]),
    ('command_file = "f"\nshared = { "a b" = "x", c = "x/..", d = 1 }', [
        f'swarms.x.shared."a b": {NAME_RULE}',
        'swarms.x.shared.c: names no file; found "x/.."',
        'swarms.x.shared.d: expected text in quotes; found 1; write "1"',
    ]),
    ('command_file = "f"\nshared = ["x"]', [
        'swarms.x.shared: expected a table; found an array; write shared = { name = "path" }',
    ]),
    ('command_file = "f"\nenv = { "A B" = 1, UID = 2, X = { y = 1 } }', [
        f'swarms.x.env."A B": {VARIABLE_RULE}',
        "swarms.x.env.UID: bash lets nobody set this variable",
        "swarms.x.env.X: expected text in quotes; found a table",
    ]),
    ('command_file = "f"\ntimeout = "soon"', [f'swarms.x.timeout: {TIME_RULE}; found "soon"']),
    ('command_file = "f"\ntimeout_s = 3', ["swarms.x.timeout_s: unknown key; did you mean timeout?"]),
    ('command_file = "f"\nretries = -1', ["swarms.x.retries: expected at least 0; found -1"]),
    ('command_file = "f"\nbreaker = -1', ["swarms.x.breaker: expected at least 0; found -1"]),
    ('command_file = "f"\nkeep = "Failed"', [
        'swarms.x.keep: expected "none", "failed" or "all"; found "Failed"; did you mean "failed"?',
    ]),
    ('command_file = "f"\nroot = "r"\nin_place = "no"', [
        'swarms.x.in_place: expected true or false; found "no"; write false, without quotes',
        'swarms.x.root: only with environment = "custom"',
    ]),
    ('command_file = "f"\nenvironment = "custom"\nlayout = "flat"\ntree = "t"\nexclude = ["e"]', [
        'swarms.x.root: missing; environment = "custom" needs the folder to replicate',
        'swarms.x.layout: not with environment = "custom"; all tasks share one tree',
        "swarms.x.tree: not together with include or exclude; keep one way to choose",
    ]),
    ('command = "c"\nenvironment = "custom"\nroot = "r"', [
        "swarms.x: nothing makes tasks; give args, args_file, sweep or command_file",
    ]),
    ('command_file = "f"\nslots = 3', ["swarms.x.slots: unknown key here; it belongs in [targets.NAME]"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problems"),
    [(f"{text}\n{SWARM}", problems) for text, problems in BAD]
    + [(f"[swarms.x]\n{text}", problems) for text, problems in BAD_SWARMS],
)
def test_what_is_wrong_is_named_with_what_would_be_right(tmp_path: Path, text: str, problems: list[str]) -> None:
    assert problems_of(write(tmp_path, text)) == problems


def test_all_problems_come_at_once_with_the_file_before_each(tmp_path: Path) -> None:
    text = "".join(f"[swarms.s{number}]\n{swarm}\n" for number, (swarm, _) in enumerate(BAD_SWARMS))
    path = write(tmp_path, text)
    expected = [
        problem.replace("swarms.x", f"swarms.s{number}", 1)
        for number, (_, problems) in enumerate(BAD_SWARMS)
        for problem in problems
    ]
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).splitlines() == [f"{path}: {problem}" for problem in expected]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("if true; then", "syntax error: unexpected end of file"),
        ("fi", "syntax error near unexpected token `fi'"),
        ("echo (", "syntax error near unexpected token `newline'"),
        ("cat <<E\nx", "warning: here-document at line 1 delimited by end-of-file (wanted `E')"),
        ("echo 'a", "unexpected EOF while looking for matching `''"),
        ("module load x", ""),
        ("if true; then\n\techo 1 # one\nfi", ""),
        ("shopt -s extglob\nls !(a|b); cat <<E\nx\nE", ""),
        ("", ""),
    ],
)
def test_each_entry_of_setup_is_complete_bash(tmp_path: Path, entry: str, why: str) -> None:
    text = f"{CLUSTER}setup = [':', {json.dumps(entry)}]\n[swarms.s]\ncommand = 'a'\nargs = [['1']]\n"
    if not why:
        assert load_config(write(tmp_path, text)).targets["t"].setup == [":", entry]
        return
    problem = f"targets.t.setup[1]: not complete bash ({why}); each entry is run by itself; found "
    assert [line[: len(problem)] for line in problems_of(write(tmp_path, text))] == [problem]


VARIABLES = [
    ({"A": "plain", "B": 2, "C": True, "D": "<none>", "E": "a$$b$$$$", "F": "x < y > z"}, []),
    ({"PATH": "/opt/bin:$PATH"}, ["PATH: a $ is not expanded here"]),
    ({"A": "$", "B": "$$$", "C": "${HOME}"}, [f"{name}: a $ is not expanded here" for name in "ABC"]),
    ({"A": "<id>"}, ["env: A: <id> has no value here"]),
    (
        {"A": "x<arg0:raw>y<id>", "B": "<shared>ref"},
        ["env: A: <arg0:raw> has no value", "env: B: <shared> has no value"],
    ),
    ({"A": "<temperature>", "B": "<seed>"}, ["env: A: <temperature> has no value"]),
]


def test_what_tasks_are_told_of_themselves_is_not_for_the_config(tmp_path: Path) -> None:
    pairs = "LOCUSTS_TASK = 'x', LOCUSTS_HOME = '/opt', OMP_NUM_THREADS = 4"
    text = f"[swarms.s]\ncommand = 'a'\nargs = [['1']]\nenv = {{ {pairs} }}\n"
    assert problems_of(write(tmp_path, text)) == [
        "swarms.s.env: LOCUSTS_TASK: each task is told its own; choose another name"
    ]


@pytest.mark.parametrize(("env", "problems"), VARIABLES)
def test_variables_are_literal(tmp_path: Path, env: dict[str, object], problems: list[str]) -> None:
    pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
    text = f"[swarms.s]\ncommand = 'a'\nsweep = {{ temperature = [1] }}\nenv = {{ {pairs} }}\n"
    if problems:
        told = problems_of(write(tmp_path, text))
        assert len(told) == len(problems)
        for line, problem in zip(told, problems, strict=True):
            assert line.startswith(f"swarms.s.{problem}" if problem.startswith("env") else f"swarms.s.env.{problem}")
            assert "in the command" in line
        return
    found = load_config(write(tmp_path, text)).swarms["s"].env
    assert found == {"A": "plain", "B": "2", "C": "true", "D": "<none>", "E": "a$b$$", "F": "x < y > z"}
