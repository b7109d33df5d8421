"""What runs before a manager as `setup`: what it leaves for tasks, and what is said if it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.manager.records import read_leave_reason
from locusts_fab.manager.render import render
from locusts_fab.manager.setup_failures import failed_setups
from locusts_fab.model.swarms import LeaveReason
from tests.support.managers import BASH, ManualEnvironment

if TYPE_CHECKING:
    from pathlib import Path

#: What starts a manager: the template, what is told to it, and what SLURM or `start_detached.sh` calls it with.
WRAPPERS: list[tuple[str, dict[str, Any], str]] = [
    ("start.sh.j2", {"scheduler": "detached"}, "1-0"),
    ("job.sbatch.j2", {"scheduler": "slurm"}, "1"),
]
BOTH = pytest.mark.parametrize("wrapper", WRAPPERS, ids=["start", "job"])


def run(
    env: ManualEnvironment, wrapper: tuple[str, dict[str, Any], str], setup: list[str], turns: int = 1
) -> subprocess.CompletedProcess[bytes]:
    """Start a manager as it is started there, and wait until it has left."""
    template, values, word = wrapper
    manager = env.root / env.layout.manager_script
    manager.write_bytes(os.fsencode(render("manager.sh.j2", {**env.values, **values})))
    said = {"setup": setup, "manager": str(manager), "logs": str(env.root / env.layout.logs_folder)}
    script = env.root / "exec/wrapper.sh"
    script.write_bytes(os.fsencode(render(template, {**said, "directives": [], "cpus": 1, "warning_s": 120})))
    programs = env.temp / "bin"
    programs.mkdir(exist_ok=True)
    if not (programs / "bash").exists():
        (programs / "bash").symlink_to(shutil.which(BASH) or BASH)  # what the manager runs in, too
    path = f"{programs}:{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "TMPDIR": str(env.temp), "SLURM_ARRAY_TASK_ID": "0"}
    with (env.root / env.layout.manager_log("1-0")).open("ab") as log:
        for _ in range(turns):
            result = subprocess.run(
                [BASH, script, word], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables, check=False
            )
    return result


@BOTH
def test_what_setup_leaves_is_there_for_tasks(tmp_path: Path, wrapper: tuple[str, dict[str, Any], str]) -> None:
    (tmp_path / "env.sh").write_text("declare -x SOURCED=yes; tool() { echo tool $#; }; export -f tool\n")
    setup = [
        "export A='a\n  b' # a comment",
        f"source '{tmp_path}/env.sh'",
        "if [[ $# == 0 ]]; then\n  export NONE=none\nfi",
        "cat <<END >/dev/null\nhere\nEND",
        "",
        "set -u; shopt -s nullglob; cd /",
        "false || export LAST=$?",
    ]
    with ManualEnvironment(tmp_path) as env:
        env.plan(['echo "$A,$SOURCED,$NONE,$LAST,$-"; tool 1 2; pwd'])
        assert run(env, wrapper, setup).returncode == 0
        assert env.states() == {1: ["done"]}
        lines = env.log().splitlines()
        assert lines[:3] == ["a", "  b,yes,none,1,ehBc", "tool 2"]
        assert lines[3].startswith(str(env.root))
        assert env.left() == "finished"


#: Lists of entries, and what is said of the one that fails.
FAILURES = [
    (["source /no/such/env bio"], "entry 1, exit code 1 (source /no/such/env bio): /no/such/env: No such"),
    ([":", "no-such-program --x"], "entry 2, exit code 127 (no-such-program --x): no-such-program: command not found"),
    (["echo a; false"], "entry 1, exit code 1 (echo a; false): a"),
    (["echo before", "(exit 9)"], "entry 2, exit code 9 ((exit 9))"),
    (["exit 3"], "entry 1, ended the shell with exit code 3 (exit 3)"),
    (["exit 0"], "entry 1, ended the shell with exit code 0 (exit 0)"),
    (["set -e\nfalse\ntrue"], "entry 1, ended the shell with exit code 1 (set -e false true)"),
    (["set -e", "echo 1; echo 2\nfalse"], "entry 2, ended the shell with exit code 1 (echo 1; echo 2 false): 1 / 2"),
    (["set -u\necho $no_such"], "entry 1, ended the shell with exit code"),
    (["printf 'a\\tb\\n\\n'; printf 'c\\033[1m'; return 4"], "entry 1, exit code"),
    (["PATH=/nowhere; echo here; false"], "entry 1, exit code 1 (PATH=/nowhere; echo here; false): here"),
    (["PATH=/nowhere"], "entry 1, leaves no bash that starts, exit code 127 (PATH=/nowhere): exec: bash: not found"),
    (["export LD_LIBRARY_PATH=/nowhere LD_PRELOAD=/nowhere; false"], "entry 1, exit code 1 (export"),
    (["set -f +m; IFS=e; set -o posix; false"], "entry 1, exit code 1 (set -f +m; IFS=e; set -o posix; false)"),
    (["kill -TERM $$"], "entry 1, ended by signal TERM (kill -TERM $$)"),
    (["kill -USR1 $$; sleep 0.1; echo on"], "entry 1, ended by signal USR1 (kill -USR1 $$; sleep 0.1; echo on)"),
    (["echo " + "x" * 5000 + "; false"], f"entry 1, exit code 1 (echo {'x' * 95}): {'x' * 400}"),
]


@BOTH
@pytest.mark.parametrize(("setup", "said"), FAILURES)
def test_an_entry_that_fails_is_recorded_and_nothing_runs(
    tmp_path: Path, wrapper: tuple[str, dict[str, Any], str], setup: list[str], said: str
) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan([f": > '{tmp_path}/ran'"])
        last = [] if setup == ["PATH=/nowhere"] else [f": > '{tmp_path}/later'"]
        assert run(env, wrapper, [*setup, *last]).returncode == 1
        left = env.left() or ""
        assert read_leave_reason(left) is LeaveReason.SETUP
        assert left.startswith(f"setup failed: {said}")
        assert env.announced().slots == 1
        assert env.has_left_in_order()
        assert env.ended() == []
        assert [path.name for path in tmp_path.iterdir() if path.name in {"ran", "later"}] == []


@BOTH
def test_each_turn_says_what_was_printed_in_it(tmp_path: Path, wrapper: tuple[str, dict[str, Any], str]) -> None:
    once = f"if [[ ! -e '{tmp_path}/once' ]]; then : > '{tmp_path}/once'; echo first; fi; false"
    with ManualEnvironment(tmp_path) as env:
        run(env.plan(["true"]), wrapper, [once], turns=2)
        first, second = env.left("1-0"), env.left("1-0-r1")
        assert (first or "").endswith("): first")
        assert (second or "").endswith(")")
        assert len(list(failed_setups([("n1", first or ""), ("n2", second or "")]))) == 1


@BOTH
def test_what_was_stopped_before_says_that(tmp_path: Path, wrapper: tuple[str, dict[str, Any], str]) -> None:
    with ManualEnvironment(tmp_path) as env:
        env.plan(["true"])
        run(env, wrapper, [f": > '{env.root}/exec/stop.1'; false"])
        assert env.left() == "stopped"
