"""`check` on this machine, for real; and its rules, on what other machines would have said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import locusts_fab
from locusts_fab.errors import ExitStatus
from locusts_fab.hosts.local import LocalHost
from locusts_fab.model import Finding, exit_status_of
from locusts_fab.plan.tasks import LONGEST_CHUNK, make_plan
from locusts_fab.preflight.machine import judge_root, judge_rsync, judge_shell, judge_target, judge_tools
from locusts_fab.preflight.probe import Questions, Seen, look
from locusts_fab.preflight.space import estimate_space
from locusts_fab.schedulers.slurm.partitions import parse_memory_mb, parse_sinfo
from locusts_fab.schedulers.slurm.preflight import judge_slurm
from tests.support.sshd import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locusts_fab.config.swarm import Swarm
    from tests.support.workspace import Workspace

SWARM = """
[swarms.s]
command = "cat f_<id>.txt > out_<id>.txt"
indir = "in"
inputs = ["f_<id>.txt"]
outputs = ["out_<id>.txt"]
"""
HERE = "[targets.here]\nmode = 'local'\nslots = 2\n"


@pytest.fixture(autouse=True)
def _inputs(workspace: Workspace) -> None:
    workspace.pairs(5)


def load(workspace: Workspace, config: str) -> Swarm:
    workspace.write(config)
    swarm: Swarm = locusts_fab.load(workspace.folder / "locusts.toml")
    return swarm


def check(workspace: Workspace, config: str) -> dict[str, Finding]:
    """Check a config, and give what was found by what was looked at."""
    found = locusts_fab.check(load(workspace, config))
    return {finding.what: finding for finding in found}


def states(found: Iterable[Finding]) -> dict[str, str]:
    return {finding.what: finding.state for finding in found}


def entries(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


# ---------------------------------------------------------------------------------------------------------------------
# This machine


def test_all_is_fine_here_and_nothing_is_left_behind(workspace: Workspace) -> None:
    workspace.write(HERE + SWARM)
    before = entries(workspace.folder.parent)
    code, text = workspace.locusts("check")
    assert code == 0, text
    assert "5 tasks" in text
    assert "error" not in text
    assert entries(workspace.folder.parent) == before
    found = check(workspace, HERE + SWARM)
    assert list(found) == ["plan", "bash", "coreutils", "root", "hard links", "space", "inodes"]
    assert "login" not in found


def test_a_root_that_is_there_stays(workspace: Workspace) -> None:
    root = workspace.folder / ".locusts" / "here"
    root.mkdir(parents=True)
    assert check(workspace, HERE + SWARM)["root"].state == "ok"
    assert root.is_dir()
    assert not list(root.iterdir())


@pytest.mark.parametrize("root", ["file/below", "file"])
def test_a_root_that_cannot_be_made(workspace: Workspace, root: str) -> None:
    (workspace.folder / "file").write_text("in the way")
    found = check(workspace, f"{HERE}root = '{root}'\n{SWARM}")
    assert found["root"].state == "error"
    assert "file" in found["root"].found
    assert "space" not in found
    assert exit_status_of(found.values()) == ExitStatus.USAGE
    code, text = workspace.locusts("check")
    assert code == 2, text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_may_not_be_written(workspace: Workspace) -> None:
    (workspace.folder / "shut").mkdir(mode=0o500)
    assert check(workspace, f"{HERE}root = 'shut'\n{SWARM}")["root"].state == "error"


def test_a_plan_that_cannot_be_made_is_a_finding(workspace: Workspace) -> None:
    shutil.rmtree(workspace.folder / "in")
    found = check(workspace, HERE + SWARM)
    assert found["plan"].state == "error"
    assert found["plan"].found
    assert found["root"].state == "ok"
    assert found["space"].state == "ok"
    assert exit_status_of(found.values()) == ExitStatus.USAGE


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        (["export A=1", "module load openmpi"], "ok"),
        (["if true; then", "echo yes", "fi"], "ok"),
        (["shopt -s extglob", "ls !(a|b)"], "ok"),
        (["if true; then"], "error"),
        (["echo 'open"], "error"),
        (["touch ran"], "ok"),
    ],
)
def test_the_lines_of_setup_are_read_and_not_run(workspace: Workspace, lines: list[str], state: str) -> None:
    found = check(workspace, f"{HERE}setup = {lines!r}\n{SWARM}".replace('"', "'''"))
    assert found["setup"].state == state, found["setup"]
    assert not list(workspace.folder.rglob("ran"))


def test_scratch(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert check(workspace, f"{HERE}scratch = '{tmp_path}/new/one'\n{SWARM}")["scratch"].state == "ok"
    assert not (tmp_path / "new").exists()
    assert check(workspace, f"{HERE}scratch = '{tmp_path}/file/one'\n{SWARM}")["scratch"].state == "error"
    assert check(workspace, f"{HERE}scratch = '$TMPDIR'\n{SWARM}")["scratch"].state == "ok"


def test_a_container_that_is_not_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = f"{HERE}container = {{ image = '/no/such/image.sif' }}\n{SWARM}"
    monkeypatch.setenv("PATH", str(programs(workspace.folder.parent / "bin", without="apptainer")))
    found = check(workspace, config)
    assert states([found["container"], found["image"]]) == {"container": "error", "image": "error"}
    (workspace.folder.parent / "bin" / "apptainer").symlink_to("/bin/true")
    found = check(workspace, config.replace("/no/such/image.sif", "docker://debian"))
    assert found["container"].state == "ok"
    assert "image" not in found


def programs(folder: Path, without: str) -> Path:
    """Make a folder of all programs but one."""
    folder.mkdir()
    for place in ("/bin", "/usr/bin"):
        for program in Path(place).iterdir():
            if program.name != without and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return folder


@pytest.mark.parametrize(
    "root", ["$(touch ran)", "-dash", 'it\'s "so"', "$NO_SUCH_VARIABLE/x", "~/no_such", "$PLACE/x"]
)
def test_a_root_is_data(workspace: Workspace, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the config's root is the host's to understand; here that is this machine, in a home of its own."""
    home = workspace.folder.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PLACE", str(home / "place"))
    facts = look(LocalHost(), Questions(root)).facts
    if "NO_SUCH" in root:
        assert facts["root_complaint"] == "NO_SUCH_VARIABLE is not set there"
    else:
        assert facts["root"].startswith(f"{home}/")
        assert "root_complaint" not in facts
    assert not list(home.iterdir())


def test_a_missing_tool_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs(workspace.folder.parent / "bin", without="timeout")))
    found = check(workspace, HERE + SWARM)
    assert found["coreutils"].state == "error"
    assert found["coreutils"].found.endswith(": timeout")


def test_a_host_that_does_not_answer(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    far = f"[targets.far]\nmode = 'remote'\nhost = 'me@127.0.0.1:{free_port()}'\nroot = '/scratch/me'\n"
    found = check(workspace, far + SWARM)
    assert list(found) == ["plan", "login", "rsync on this machine"]
    assert found["login"].state == "error"
    assert found["login"].advice
    assert exit_status_of(found.values()) == ExitStatus.CONNECTION


# ---------------------------------------------------------------------------------------------------------------------
# What a swarm takes up


def test_the_estimate(workspace: Workspace) -> None:
    (workspace.folder / "in" / "big").mkdir()
    (workspace.folder / "in" / "big" / "file").write_bytes(b"x" * 1000)
    swarm = load(workspace, HERE + SWARM + "shared = { big = 'big' }\n")
    needed = estimate_space(make_plan(swarm, "/env"), None, is_linked=False)
    assert (needed.tasks, needed.files, needed.input_bytes, needed.shared_bytes, needed.sandbox_bytes) == (
        5,
        10,
        10,
        1000,
        10,
    )
    assert needed.size_bytes == 1020
    assert needed.inodes == 50 + 10 + 3 * 5 + 5 + 3 * needed.chunks + 2
    linked = estimate_space(make_plan(swarm, "/env"), None, is_linked=True)
    assert linked.size_bytes == 10
    assert "only linked" in linked.explain_bytes()
    assert "5 tasks" in needed.explain_inodes()


def test_only_so_many_sandboxes_are_there_at_a_time(workspace: Workspace) -> None:
    (workspace.folder / "in" / "f_0.txt").write_bytes(b"x" * 992)
    swarm = load(
        workspace, HERE + SWARM.replace('inputs = ["f_<id>.txt"]', "args = [['0']]\ninputs = ['f_<arg0>.txt']")
    )
    rows = str([["0"]] * 1000)
    many = load(workspace, (workspace.folder / "locusts.toml").read_text().replace("[['0']]", rows))
    assert estimate_space(make_plan(swarm, "/env"), None, is_linked=False).sandbox_bytes == 992
    assert estimate_space(make_plan(many, "/env"), None, is_linked=False).sandbox_bytes == 992 * 2 * LONGEST_CHUNK
    all_kept = load(workspace, (workspace.folder / "locusts.toml").read_text() + "keep = 'all'\n")
    assert estimate_space(make_plan(all_kept, "/env"), None, is_linked=False).sandbox_bytes == 992 * 1000


@pytest.mark.parametrize(
    ("filesystem", "expected"),
    [
        ("1000000 4096 1000000 900000 xfs", {"space": "ok", "inodes": "ok"}),
        ("0 4096 1000000 900000 xfs", {"space": "error", "inodes": "ok"}),
        ("15 1 1000000 900000 xfs", {"space": "error", "inodes": "ok"}),
        ("30 1 1000000 900000 xfs", {"space": "warning", "inodes": "ok"}),
        ("1000000 4096 1000000 20 xfs", {"space": "ok", "inodes": "error"}),
        ("1000000 4096 0 0 btrfs", {"space": "ok", "inodes": "ok"}),
        ("1000000 4096 0 0 tmpfs", {"file system": "warning", "space": "ok", "inodes": "ok"}),
        ("", {"space": "warning"}),
        ("a b c d e", {"space": "warning"}),
        ("1 2 3", {"space": "warning"}),
    ],
)
def test_room(workspace: Workspace, filesystem: str, expected: dict[str, str]) -> None:
    swarm = load(workspace, SLURM + SWARM)
    needed = estimate_space(make_plan(swarm, "/env"), None, is_linked=False)
    seen = Seen({"root": "/r", "links": "yes", "filesystem": filesystem})
    assert states(judge_root(swarm, seen, needed)) == {"root": "ok", "hard links": "ok", **expected}


def test_a_file_system_without_hard_links(workspace: Workspace) -> None:
    found = states(judge_root(load(workspace, HERE + SWARM), Seen({"root": "/r", "filesystem": "9 9 9 9 vfat"}), None))
    assert found["hard links"] == "error"


# ---------------------------------------------------------------------------------------------------------------------
# Programs


@pytest.mark.parametrize(
    ("version", "state"),
    [("4.2.46", "ok"), ("5.2.15", "ok"), ("4.1.17", "error"), ("3.2.57", "error"), ("10.0.0", "ok"), ("", "error")],
)
def test_bash(workspace: Workspace, version: str, state: str) -> None:
    facts = {"bash": version, "missing": ""} if version else {"missing": ""}
    assert states(judge_tools(load(workspace, HERE + SWARM), Seen(facts))) == {"bash": state, "coreutils": "ok"}


@pytest.mark.parametrize(
    ("line", "here", "there"),
    [
        ("rsync  version 3.4.0  protocol version 32", "ok", "ok"),
        ("rsync  version v3.4.1  protocol version 32", "ok", "ok"),
        ("rsync  version 3.2.7  protocol version 31", "warning", "ok"),
        ("rsync  version 3.1.3pre1  protocol version 31", "warning", "ok"),
        ("rsync  version 3.0.9  protocol version 30", "error", "error"),
        ("openrsync: protocol version 29", "error", "error"),
        ("", "error", "error"),
        (None, "error", "error"),
    ],
)
def test_rsync(line: str | None, here: str, there: str) -> None:
    ours, theirs = judge_rsync("this machine", line, is_here=True), judge_rsync("far", line, is_here=False)
    assert (ours.state, theirs.state) == (here, there)
    assert ("CVE-2024-12086" in ours.advice) == (here == "warning")


def test_noise_is_told() -> None:
    quiet, loud = (next(judge_shell(Seen({"shell": "/bin/tcsh"}, noise))) for noise in ("", "Welcome\nto us"))
    assert "print nothing" in quiet.found
    assert "Welcome" in loud.found
    assert loud.state == "ok"


def test_what_may_be_on_nodes_only_is_a_warning(workspace: Workspace) -> None:
    more = "scratch = '/local'\nsetup = ['module load x']\ncontainer = { image = '/x.sif' }\n"
    swarm = load(workspace, SLURM.replace("[targets.far.slurm]", more + "[targets.far.slurm]") + SWARM)
    found = states(judge_target(swarm, Seen({"scratch_complaint": "no such disk", "setup_complaint": ""})))
    assert found == {"scratch": "warning", "setup": "ok", "container": "warning", "image": "warning"}


# ---------------------------------------------------------------------------------------------------------------------
# SLURM

SLURM = """
[targets.far]
mode = "local"
scheduler = "slurm"
slots = 4
nodes = 2
[targets.far.slurm]
"""
SINFO = """\
short*|up|1:00:00|2|16|64000|mix
short*|up|1:00:00|1|32|64000|idle
short*|up|1:00:00|1|64|256000|down*
long|up|7-00:00:00|8|16|64000|idle
endless|up|infinite|8|16|64000|alloc
closed|drain|1:00:00|1|16|64000|idle
asleep|down|1:00:00|1|16|64000|idle
vague|up|1:00:00|4|8+|1+|idle
no line of sinfo
"""
FINE = {
    "slurm_missing": "",
    "partitions": SINFO,
    "array_limit": "1001",
    "sbatch_status": "0",
    "sbatch": "sbatch: Job 1",
}
ALL_OK = {"scheduler": "ok", "partition": "ok", "time limit": "ok", "CPUs": "ok", "nodes": "ok", "test job": "ok"}
#: What stays unsaid where nothing is known of the partition.
UNKNOWN = {"scheduler": "ok", "partition": "ok", "test job": "ok"}


def judged(workspace: Workspace, slurm: str = "", target: str = "", cpus: int = 1, **facts: str) -> dict[str, str]:
    config = SLURM.replace("nodes = 2", f"nodes = 2\n{target}") + slurm + SWARM + f"cpus_per_task = {cpus}\n"
    return states(judge_slurm(load(workspace, config), {**FINE, **facts}))


@pytest.mark.parametrize(
    ("slurm", "given", "expected"),
    [
        ("", {}, ALL_OK),
        ("partition = 'long'\ntime = '6-00:00:00'\n", {}, ALL_OK),
        ("partition = 'short, long'\n", {}, ALL_OK),
        ("partition = 'endless'\ntime = 'infinite'\n", {}, ALL_OK),
        ("extra = ['--partition=else']\n", {}, UNKNOWN),
        ("", {"partitions": SINFO.replace("short*", "short")}, UNKNOWN),
        ("partition = 'shart'\n", {}, {**UNKNOWN, "partition": "error"}),
        ("partition = 'closed'\n", {}, {**ALL_OK, "partition": "error"}),
        ("partition = 'asleep'\n", {}, {**ALL_OK, "partition": "warning"}),
        ("time = '1:00:01'\n", {}, {**ALL_OK, "time limit": "error"}),
        ("time = 60\n", {}, ALL_OK),
        ("time = 'soon'\n", {}, {**ALL_OK, "time limit": "error"}),
        ("time = 'UNLIMITED'\n", {}, {**ALL_OK, "time limit": "error"}),
        ("partition = 'short,long'\ntime = '2:00:00'\n", {}, {**ALL_OK, "time limit": "warning"}),
        ("", {"cpus": 16}, {**ALL_OK, "nodes": "warning"}),  # only the node that is down
        ("", {"cpus": 17}, {**{key: "ok" for key in ALL_OK if key != "nodes"}, "CPUs": "error"}),
        ("", {"cpus": 8}, {**ALL_OK, "nodes": "warning"}),  # one node has 32
        ("mem = '60G'\n", {}, {**ALL_OK, "memory": "ok"}),
        ("mem = '300G'\n", {}, {**{key: "ok" for key in ALL_OK if key != "nodes"}, "memory": "error"}),
        ("mem_per_cpu = '100G'\n", {}, {**{key: "ok" for key in ALL_OK if key != "nodes"}, "memory": "error"}),
        ("partition = 'vague'\nmem = '300G'\n", {}, {**ALL_OK, "memory": "ok"}),
        ("exclusive = true\npartition = 'long'\n", {}, ALL_OK),
        ("", {"array_limit": "1"}, {**ALL_OK, "array": "warning"}),
        ("", {"sbatch_status": "1", "sbatch": "allocation failure"}, {**ALL_OK, "test job": "error"}),
        ("", {"sbatch_status": "124", "sbatch": "no answer within 60 s"}, {**ALL_OK, "test job": "error"}),
        ("", {"slurm_silent": "cannot contact"}, {"scheduler": "error"}),
        ("", {"slurm_missing": "sbatch"}, {"scheduler": "error"}),
    ],
)
def test_what_slurm_says(workspace: Workspace, slurm: str, given: dict[str, Any], expected: dict[str, str]) -> None:
    assert judged(workspace, slurm, **given) == expected


def test_errors_of_slurm_come_with_advice(workspace: Workspace) -> None:
    config = SLURM + "partition = 'shart'\n" + SWARM
    unknown = [each for each in judge_slurm(load(workspace, config), FINE) if each.state == "error"]
    assert [(each.what, each.exit_status) for each in unknown] == [("partition", ExitStatus.SCHEDULER)]
    assert unknown[0].advice.startswith("did you mean short?")


def test_sinfo_is_read() -> None:
    partitions = {partition.name: partition for partition in parse_sinfo(SINFO)}
    assert list(partitions) == ["short", "long", "endless", "closed", "asleep", "vague"]
    assert [name for name, partition in partitions.items() if partition.is_default] == ["short"]
    assert partitions["long"].limit_s == 7 * 86400
    assert partitions["endless"].limit_s == float("inf")
    assert [(nodes.count, nodes.cpus, nodes.is_usable) for nodes in partitions["short"].nodes] == [
        (2, 16, True),
        (1, 32, True),
        (1, 64, False),
    ]
    assert partitions["vague"].nodes[0].memory_mb is None


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [("8G", 8192), ("8000", 8000), ("1T", 1048576), ("512m", 512), ("2048K", 2), ("1.5G", 1536), ("much", None)],
)
def test_memory_is_read(text: str, megabytes: float | None) -> None:
    assert parse_memory_mb(text) == megabytes


# ---------------------------------------------------------------------------------------------------------------------
# Exit codes


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], 0),
        ([2], 2),
        ([2, 4], 4),
        ([4, 3, 2], 3),
    ],
)
def test_the_exit_code_is_that_of_the_first_kind(kinds: list[int], expected: int) -> None:
    fine = [Finding("x", "ok", "", exit_status=ExitStatus.CONNECTION), Finding("y", "warning", "")]
    errors = [Finding("z", "error", "", exit_status=ExitStatus(kind)) for kind in kinds]
    assert exit_status_of([*fine, *errors]) == expected
