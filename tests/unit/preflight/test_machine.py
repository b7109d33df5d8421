"""The rules that judge a machine, on what other machines would have said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.preflight.machine import judge_root, judge_rsync, judge_shell, judge_target, judge_tools
from locusts_fab.preflight.probe import Seen
from tests.support.findings import SLURM, load, states
from tests.support.forged import texts
from tests.support.workspace import COPY, HERE

if TYPE_CHECKING:
    from tests.support.workspace import Workspace


@pytest.fixture(autouse=True)
def _inputs(workspace: Workspace) -> None:
    workspace.pairs(5)


@pytest.mark.parametrize(
    ("version", "state"),
    [("4.2.46", "ok"), ("5.2.15", "ok"), ("4.1.17", "error"), ("3.2.57", "error"), ("10.0.0", "ok"), ("", "error")],
)
def test_bash(workspace: Workspace, version: str, state: str) -> None:
    facts = {"bash": version, "missing": ""} if version else {"missing": ""}
    assert states(judge_tools(load(workspace, HERE + COPY), Seen(facts))) == {"bash": state, "coreutils": "ok"}


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


@pytest.mark.parametrize(("tar", "state"), [("gnu", None), ("yes", "error"), (None, "error")])
def test_tar_that_packs(workspace: Workspace, tar: str | None, state: str | None) -> None:
    facts = {"bash": "5.2.15", "missing": "", **({"tar": tar} if tar else {})}
    assert states(judge_tools(load(workspace, HERE + COPY), Seen(facts))).get("tar") is None
    assert states(judge_tools(load(workspace, HERE + COPY + "pack = true\n"), Seen(facts))).get("tar") == state


def test_noise_is_told() -> None:
    quiet, loud = (next(judge_shell(Seen({"shell": "/bin/tcsh"}, noise))) for noise in ("", "Welcome\nto us"))
    assert "print nothing" in quiet.found
    assert "Welcome" in loud.found
    assert loud.state == "ok"


def test_what_may_be_on_nodes_only_is_a_warning(workspace: Workspace) -> None:
    more = "scratch = '/local'\nsetup = ['module load x']\ncontainer = { image = '/x.sif' }\n"
    swarm = load(workspace, SLURM.replace("[targets.far.slurm]", more + "[targets.far.slurm]") + COPY)
    found = states(judge_target(swarm, Seen({"scratch_complaint": "no such disk", "setup_complaint": ""})))
    assert found == {"scratch": "warning", "setup": "ok", "container": "warning", "image": "warning"}


@pytest.mark.parametrize("text", ["²", "٣", "9" * 4301, "-1", "1_0", "inf", str(2**64), ""])
@pytest.mark.parametrize("at", range(4))
def test_space_that_is_no_number_is_not_known(workspace: Workspace, at: int, text: str) -> None:
    numbers = ["1000", "4096", "1000", "1000"]
    numbers[at] = text
    seen = Seen({"root": "/r", "links": "", "filesystem": " ".join([*numbers, "ext4"])})
    found = {finding.what: finding for finding in judge_root(load(workspace, HERE + COPY), seen, None)}
    assert found["space"].found == "nobody knows how much is free"


@pytest.mark.parametrize("version", ["².3", "٣.2", "9" * 4301 + ".1", "-5.2", "5_0.1"])
def test_a_version_that_is_none_is_not_good_enough(workspace: Workspace, version: str) -> None:
    found = states(judge_tools(load(workspace, HERE + COPY), Seen({"bash": version, "missing": ""})))
    assert found["bash"] == "error"
    line = f"rsync  version {version}.0  protocol version 32"
    assert judge_rsync("far", line, is_here=False).state == "error"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=st.lists(texts, min_size=3, max_size=5), version=texts)
def test_any_text_in_what_was_seen(workspace: Workspace, numbers: list[str], version: str) -> None:
    swarm = load(workspace, HERE + COPY)
    seen = Seen({"root": version, "links": "", "bash": version, "filesystem": " ".join([*numbers, "ext4"])})
    assert list(judge_root(swarm, seen, None))
    assert list(judge_tools(swarm, seen))
    assert judge_rsync("far", f"rsync  version {version}.{version}", is_here=True)
