"""Mistakes that people make in locusts.toml: each message names the place, the cause and what to write.

The words of a row must all be in one problem. The file's name comes before each problem; `test_schema.py` has that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.configs import CLUSTER, LOCAL, SWARM, problems_of, write

if TYPE_CHECKING:
    from pathlib import Path

BELONGS = "unknown key here; it belongs in"

#: A line in [swarms.s], and the words.
IN_SWARM = [
    # names of keys
    ('timout = "10m"', "swarms.s.timout: unknown key", "did you mean timeout?"),
    ('comand = "x"', "swarms.s.comand: unknown key", "did you mean command?"),
    ('Command = "x"', "swarms.s.Command: unknown key", "did you mean command?"),
    ('output = ["a"]', "swarms.s.output: unknown key", "did you mean outputs?"),
    ('outs = ["a"]', "swarms.s.outs: unknown key", "it is called outputs"),
    ("cpus-per-task = 4", "swarms.s.cpus-per-task: unknown key", "did you mean cpus_per_task?"),
    ("cpus = 4", "swarms.s.cpus: unknown key", "it is called cpus_per_task"),
    ("threads = 4", "swarms.s.threads: unknown key", "it is called cpus_per_task"),
    ('memory = "8G"', "swarms.s.memory: unknown key", 'write mem = "8G" in [targets.NAME.slurm]'),
    ('walltime = "4:00:00"', "swarms.s.walltime", "time in [targets.NAME.slurm]", "timeout in [swarms.NAME]"),
    ('queue = "short"', "swarms.s.queue: unknown key", "it is called partition, in [targets.NAME.slurm]"),
    ("workers = 4", "swarms.s.workers: unknown key", "slots in [targets.NAME]"),
    ("max_retries = 3", "swarms.s.max_retries: unknown key", "did you mean retries?"),
    ("gpus = 1", "swarms.s.gpus: unknown key", "gpus, in [targets.NAME], and gpus_per_task"),
    ('modules = ["gcc"]', "swarms.s.modules: unknown key", 'setup = ["module load NAME"] in [targets.NAME]'),
    ("environment_variables = {}", "swarms.s.environment_variables", 'it is called env: env = { NAME = "value" }'),
    ('depends_on = "other"', "swarms.s.depends_on: unknown key", "it is called after"),
    ('shell = "zsh"', "swarms.s.shell: unknown key", "commands are bash"),
    ('name = "x"', "swarms.s.name: unknown key", "[swarms.NAME]"),
    ("wholly_unknown = 1", "swarms.s.wholly_unknown: unknown key; the keys here are target, command, strict, indir"),
    # keys in the wrong table
    ('mem = "8G"', f"swarms.s.mem: {BELONGS} [targets.NAME.slurm]"),
    ("time = 4", f"swarms.s.time: {BELONGS} [targets.NAME.slurm]"),
    ("slots = 4", f"swarms.s.slots: {BELONGS} [targets.NAME]"),
    ('setup = ["x"]', f"swarms.s.setup: {BELONGS} [targets.NAME]"),
    ('container = "x.sif"', f"swarms.s.container: {BELONGS} [targets.NAME]"),
    # values
    ('layout = "flatt"', 'swarms.s.layout: expected "tasks" or "flat"; found "flatt"; did you mean "flat"?'),
    ("keep = true", 'swarms.s.keep: expected "none", "failed" or "all"; found true'),
    ('environment = { A = "1" }', "swarms.s.environment: expected", 'variables go into env = { NAME = "value" }'),
    ('timeout = "10 minutes"', "swarms.s.timeout: expected a time such as", 'did you mean "10m"?'),
    ('timeout = "1:30:00"', "swarms.s.timeout: expected a time such as", 'did you mean "1h30m"?'),
    ('timeout = "10"', "swarms.s.timeout: expected a time such as", 'say which unit: "10s", "10m" or "10h"'),
    ('timeout = "2w"', "swarms.s.timeout: expected a time such as", 'did you mean "14d"?'),
    ('timeout = "forever"', "swarms.s.timeout: expected a time such as", 'found "forever"'),
    ("timeout = 0", "swarms.s.timeout: expected a time such as", "above 0", "found 0"),
    ("timeout = 10:00", "swarms.s.timeout: expected a time such as", "which is a date or time in TOML"),
    ('retries = "3"', 'swarms.s.retries: expected a whole number; found "3"; write 3, without quotes'),
    ("retries = -1", "swarms.s.retries: expected at least 0; found -1"),
    ("cpus_per_task = 2.5", "swarms.s.cpus_per_task: expected a whole number; found 2.5"),
    ('max_failures = "150%"', "swarms.s.max_failures: expected a number of tasks such as 100", '"5%"'),
    ('outputs = "a"', 'swarms.s.outputs: expected an array, in brackets: ["…"]; found "a"; write ["a"]'),
    ('outputs = ["/a"]', "swarms.s.outputs[0]: must be a relative path", "the folder that its task runs in"),
    ('outputs = ["../a"]', "swarms.s.outputs[0]: must not lead upward; take the .. out"),
    ('outputs = ["a", ""]', "swarms.s.outputs[1]: must not be empty"),
    ('outputs = ["~/a"]', "swarms.s.outputs[0]: must be a relative path", 'found "~/a"'),
    ('inputs = ["/data/../<id>.txt"]', "swarms.s.inputs[0]: must not lead upward"),
    ('inputs = ["//."]', "swarms.s.inputs[0]: names no file"),
    ('outputs = ["x[<id>].csv"]', "swarms.s.outputs[0]: [<id>]: a handle cannot stand in brackets", "[*] for *"),
    ('outputs = ["../*"]', "swarms.s.outputs[0]: must not lead upward; take the .. out"),
    ('optional_outputs = ["/core.*"]', "swarms.s.optional_outputs[0]: must be a relative path"),
    ('indir = "$HOME/data"', "swarms.s.indir: variables are not put in here", "write the path itself, or ~"),
    ('outdir = "${SCRATCH}/out"', "swarms.s.outdir: variables are not put in here", "write the path itself, or ~"),
    ('shared = ["a"]', 'swarms.s.shared: expected a table; found an array; write shared = { name = "path" }'),
    ('shared = { "a b" = "x" }', 'swarms.s.shared."a b": a name is a letter or digit, then'),
    ('shared = { a = "" }', "swarms.s.shared.a: names no file"),
    ('env = ["A=1"]', 'swarms.s.env: expected a table; found an array; write env = { NAME = "value" }'),
    ('env = { "A-B" = "1" }', "swarms.s.env.A-B: expected the name of a shell variable"),
    ('env = { UID = "1" }', "swarms.s.env.UID: bash lets nobody set this variable"),
    ('target = "there"', 'swarms.s.target: no target named "there"', "did you mean here?"),
    ("sweep = { a = [1] }", "swarms.s: several keys make tasks (args, sweep); keep one of them"),
    ('tree = "x"', 'swarms.s.tree: only with environment = "custom"'),
]

#: A whole [swarms.s], and the words.
SWARMS = [
    ('command = ""\nargs = [["1"]]', "swarms.s.command: must not be empty"),
    ('command = ["a", "b"]\nargs = [["1"]]', "swarms.s.command: expected text in quotes; found an array", '"a && b"'),
    ('args = [["1"]]', "swarms.s.command: missing; say what each task runs, here or in command_file"),
    ('command = "c"', "swarms.s: nothing makes tasks; give inputs with <id>, args, args_file, sweep or command_file"),
    ('command = "c"\nargs = ["a"]', 'swarms.s.args[0]: expected an array, in brackets: ["…"]', 'write ["a"]'),
    ('command = "c"\nargs = []', "swarms.s.args: expected at least one; found none"),
    ('command = "c"\nsweep = { a = 1 }', 'swarms.s.sweep.a: expected an array, in brackets: ["…"]', "write [1]"),
    ('command = "c"\nsweep = { a = [] }', "swarms.s.sweep.a: expected at least one; found none"),
    ('command = "c"\nsweep = { id = [1] }', "swarms.s.sweep.id: <id> has a meaning of its own; choose another name"),
    ('command = "c"\nsweep = [[1]]', "swarms.s.sweep: expected a table", "sweep = { name = [1, 2, 3] }"),
    ('command = "c"\ncsv = "a.csv"', "swarms.s.csv: unknown key", "it is called args_file"),
    ('command = "c"\ncommand_file = "x"', "swarms.s.command_file: not together with command; keep one of them"),
    ('command = "c"\ninputs = ["*.txt"]', "swarms.s.inputs: none has a handle", "put <id> where the names differ"),
    ('command = "c"\ninputs = ["{id}.txt"]', "swarms.s.inputs: none has a handle", "put <id> where the names differ"),
]

#: A line in [targets.t] of a cluster, and the words.
IN_TARGET = [
    ("port = 22", 'targets.t.port: unknown key; write it into host = "user@host:port"'),
    ('password = "x"', "targets.t.password: unknown key", "~/.ssh/config"),
    ('identity_file = "x"', "targets.t.identity_file: unknown key", "~/.ssh/config", "give its alias as host"),
    ('hostname = "x"', "targets.t.hostname: unknown key; did you mean host?"),
    ("cores = 4", "targets.t.cores: unknown key", "slots in [targets.NAME]", "cpus_per_task"),
    ('modules = ["gcc"]', "targets.t.modules: unknown key", 'setup = ["module load NAME"]'),
    ('partition = "short"', f"targets.t.partition: {BELONGS} [targets.NAME.slurm]"),
    ('command = "c"', f"targets.t.command: {BELONGS} [swarms.NAME]"),
    ('sbatch = "x"', "targets.t.sbatch: unknown key", "[targets.NAME.slurm]"),
    ('scheduler = "slrum"', 'targets.t.scheduler: expected "none" or "slurm"', 'did you mean "slurm"?'),
    ('known_hosts = "yes"', 'targets.t.known_hosts: expected "strict" or "accept-new"; found "yes"'),
    ('nodes = "2"', 'targets.t.nodes: expected a whole number; found "2"; write 2, without quotes'),
    ("slots = 0", "targets.t.slots: expected at least 1; found 0"),
    ('slots = "auto"', 'targets.t.slots: expected a whole number; found "auto"'),
    ('setup = "module load x"', "targets.t.setup: expected an array", 'write ["module load x"]'),
    ('container = "x.sif"', 'targets.t.container: expected a table; found "x.sif"', '{ image = "path" }'),
    ('container = { image = "x", runtime = "docker" }', "targets.t.container.runtime", 'image = "docker://NAME"'),
    ('scratch = "~/x"', 'targets.t.scratch: ~ is not put in here; write "$HOME/…"'),
    ('scratch = "$(hostname)"', "targets.t.scratch: expected a path, or one that begins with a variable", '"$TMPDIR"'),
]

#: A line in [targets.t.slurm], and the words.
IN_SLURM = [
    ("time = 4", "targets.t.slurm.time: expected", 'write "00:04:00" for that, or "04:00:00" for hours'),
    ('time = "4h"', 'targets.t.slurm.time: expected "HH:MM:SS"', 'did you mean "04:00:00"?'),
    ('time = "2 days"', 'targets.t.slurm.time: expected "HH:MM:SS"', 'did you mean "2-00:00:00"?'),
    ("time = 04:00:00", "targets.t.slurm.time: expected text in quotes", "which is a date or time in TOML"),
    ('mem = "8 GB"', 'targets.t.slurm.mem: expected memory such as "8G"', 'did you mean "8G"?'),
    ("mem = 8", "targets.t.slurm.mem: expected memory such as", "a number alone is megabytes", '"8G"'),
    ('mem = "1.5G"', "targets.t.slurm.mem: expected memory such as", 'did you mean "1536M"?'),
    ('mem_per_cpu = "lots"', 'targets.t.slurm.mem_per_cpu: expected memory such as "8G" or "500M"; found "lots"'),
    ('tim = "1:00"', "targets.t.slurm.tim: unknown key; did you mean time?"),
    ("ntasks = 4", "targets.t.slurm.ntasks: unknown key", "set by what starts the jobs"),
    ("gpus = 1", "targets.t.slurm.gpus: unknown key; write gpus = 1 in [targets.NAME]", 'gres = "gpu:1"'),
    ("cpus_per_task = 4", f"targets.t.slurm.cpus_per_task: {BELONGS} [swarms.NAME]"),
    ('hint = "x"', "targets.t.slurm.hint: unknown key", 'extra = ["--OPTION=VALUE"]'),
    ('extra = "--hint=x"', "targets.t.slurm.extra: expected an array", 'write ["--hint=x"]'),
    ('extra = ["hint=x"]', 'targets.t.slurm.extra[0]: expected an sbatch option such as "--hint=nomultithread"'),
    ('extra = ["--hold", "-M X"]', "targets.t.slurm.extra[1]: --clusters cannot be here", "host", 'found "-M X"'),
    ('exclusive = "yes"', "targets.t.slurm.exclusive: expected true or false, without quotes"),
    ('partition = ["a", "b"]', "targets.t.slurm.partition: expected text in quotes", '"a,b"'),
]

#: A whole file, and the words.
FILES: list[tuple[str | bytes, ...]] = [
    ("", "swarms: there is none; add a table [swarms.NAME] with a command"),
    ("# all of it is a comment\n", "swarms: there is none; add a table [swarms.NAME] with a command"),
    ('[target.t]\nmode = "local"\n' + SWARM, "target: unknown key; did you mean targets?"),
    ('[targets]\nmode = "local"\n' + SWARM, "targets.mode: it stands in no table with a name; write [targets.NAME]"),
    ('command = "c"\n', "command: unknown key here; it belongs in [swarms.NAME]"),
    ('[[swarms.s]]\ncommand = "c"\n', "swarms.s: expected a table, [swarms.NAME]; found an array"),
    ('[swarms."s s"]\ncommand = "c"\nargs = [["1"]]\n', 'swarms."s s": a name is a letter or digit, then letters'),
    ("[targets.t]\n" + SWARM, 'targets.t.mode: missing; expected "local", "remote" or "remote-shared"'),
    ('[targets.t]\nmode = "ssh"\n' + SWARM, "targets.t.mode: expected", 'mode = "remote" is a host reached over SSH'),
    ('[targets.t]\nmode = "Local"\n' + SWARM, "targets.t.mode: expected", 'did you mean "local"?'),
    (LOCAL + 'host = "h"\n' + SWARM, 'targets.t.host: not in mode = "local"', 'mode = "remote"'),
    (LOCAL + "nodes = 2\n" + SWARM, 'targets.t.nodes: more than one node needs scheduler = "slurm"'),
    (LOCAL + 'root = "$SCRATCH"\n' + SWARM, "targets.t.root: variables are not put in here", "write the path itself"),
    (CLUSTER.replace('root = "/r"\n', "") + SWARM, 'targets.t.root: missing; mode = "remote" needs it'),
    (CLUSTER.replace('"h"', '"ssh me@h"') + SWARM, 'targets.t.host: expected an ssh_config alias or "user@host:port"'),
    (
        CLUSTER.replace('"remote"', '"remote-shared"') + SWARM,
        "targets.t.shared_root: missing",
        "as this machine sees it",
    ),
    # TOML
    (SWARM.replace('"c"', "c"), "line 2, column 11: not TOML", 'text goes in quotes: "c"'),
    (SWARM.replace('"c"', '"c'), "line 2, column 13: not TOML", "the quote is not closed on its line"),
    (SWARM.replace('"c"', '"C:\\Users\\me"'), "line 2, column 16: not TOML", "write \\\\, or put the text in '…'"),
    (SWARM.replace('"c"', '"a\\d"'), "line 2, column 15: not TOML", "write \\\\, or put the text in '…'"),
    (SWARM.replace('"c"', "'it's'"), "line 2, column 15: not TOML", "the text ended at the ' before this"),
    (SWARM.replace('"c"', "\u201cc\u201d"), "line 2, column 11: not TOML", "a typographic quote"),
    (SWARM.replace('"c"', ""), "line 2, column 11: not TOML", "the value is missing after the ="),
    (SWARM + "in_place = True\n", "line 4, column 12: not TOML", "write true"),
    (SWARM + "timeout = none\n", "line 4, column 11: not TOML", "leave the key out"),
    (SWARM + "timeout = 10m\n", "line 4, column 13: not TOML", "text goes in quotes"),
    (SWARM + 'command = "d"\n', "line 4, column 14: not TOML", "this key stands twice in its table; keep one"),
    (SWARM + SWARM, "line 4, column 10: not TOML", "[swarms.s] stands twice; put its keys under one heading"),
    (SWARM.replace("]\ncom", "\ncom"), "line 1, column 10: not TOML", "the ] after the name is missing"),
    (SWARM.replace(" = ", ": "), "line 2, column 8: not TOML", "write = in place of the colon"),
    (
        '[swarms.s]\ncommand = "c" args = [["1"]]\n',
        "line 2, column 15: not TOML",
        "each key stands on a line of its own",
    ),
    ('[swarms.s]\nargs = [["1"] ["2"]]\n', "line 2, column 15: not TOML", "a comma is missing between two values"),
    ('[swarms.s]\nenv = { A = "1"\n', "not TOML", "a comma is missing between two keys, or the } at the end"),
    ('{ "swarms": {} }', "line 1, column 1: not TOML", "this is how JSON looks"),
    ("// a comment\n" + SWARM, "line 1, column 1: not TOML", "a comment that begins with #"),
    (SWARM.replace("command =", "command\u00a0="), "line 2, column 8: not TOML", "an invisible character (U+00A0)"),
    ("\u200b" + SWARM, "line 1, column 1: not TOML", "an invisible character (U+200B)"),
    (SWARM.replace("\n", "\r"), "line 1, column 11: not TOML", "save the file with the line ends of Unix"),
    # bytes
    (SWARM.encode("utf-16"), "line 1: not TOML: it is UTF-16; save the file as UTF-8 text"),
    (SWARM.encode("utf-16-le"), "line 1: not TOML: it is UTF-16; save the file as UTF-8 text"),
    (SWARM.encode("utf-32"), "line 1: not TOML: it is UTF-32; save the file as UTF-8 text"),
    (b'[swarms.s]\ncommand = "caf\xe9"\n', "line 2: byte 0xe9 is not UTF-8; save the file as UTF-8 text"),
    (b"\x1f\x8b\x08\x00", "line 1: not TOML: it is no text at all; save the file as UTF-8 text"),
]

ALL: list[tuple[str | bytes, ...]] = [
    *((f"[targets.here]\nmode = 'local'\n{SWARM}{line}\n", *words) for line, *words in IN_SWARM),
    *((f"[swarms.s]\n{lines}\n", *words) for lines, *words in SWARMS),
    *((f"{CLUSTER}{line}\n{SWARM}", *words) for line, *words in IN_TARGET),
    *((f"{CLUSTER}[targets.t.slurm]\n{line}\n{SWARM}", *words) for line, *words in IN_SLURM),
    *FILES,
]


@pytest.mark.parametrize("row", ALL, ids=lambda row: repr(row[0])[-60:])
def test_a_mistake_is_told_with_its_place_its_cause_and_what_to_write(
    tmp_path: Path, row: tuple[str | bytes, ...]
) -> None:
    content, *words = row
    problems = problems_of(write(tmp_path, content))
    assert any(all(str(word) in problem for word in words) for problem in problems), problems
    assert len(problems) == 1, "one mistake makes one problem"


def test_there_are_more_than_ninety() -> None:
    assert len(ALL) > 90
    assert len({row[0] for row in ALL}) == len(ALL)


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path) -> None:
    lines = [line for line, *_ in IN_SWARM if line.split(" =")[0].strip() not in {"timeout", "outputs", "env"}]
    once = {line.split(" =")[0].split(".")[0]: line for line in lines}
    problems = problems_of(write(tmp_path, SWARM + "\n".join(once.values()) + "\n"))
    for key in set(once) - {"sweep", "tree", "target"}:
        assert any(problem.startswith(f"swarms.s.{key}") for problem in problems), key


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_are_counted_whatever_their_ends(tmp_path: Path, ends: str, mark: bytes) -> None:
    text = f"# one\n\n{SWARM}timeout = 10m\n".replace("\n", ends)
    (problem,) = problems_of(write(tmp_path, mark + text.encode()))
    assert problem.startswith("line 6, column 13: not TOML")
