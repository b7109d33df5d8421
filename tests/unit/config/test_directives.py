"""Which further options of sbatch are refused, in whatever way they are written, and which are passed on."""

from __future__ import annotations

import pytest

from locusts_fab.config.directives import refusal


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [
        ("--clusters=X", "clusters", "login host of that cluster"),
        ("--clusters X", "clusters", "login host of that cluster"),
        ("--cluster=X", "cluster", "login host of that cluster"),
        ("--clus=X", "clusters", "login host"),
        ("-M X", "clusters", "login host"),
        ("-MX,Y", "clusters", "login host"),
        ("-HM X", "clusters", "login host"),
        ("--hold -M X", "clusters", "login host"),
        ("--comment='a b' '-M' X", "clusters", "login host"),
        ("-t 1", "time", "write time = …"),
        ("--time=1:00:00", "time", "write time = …"),
        ("-x n1", "exclude", "write exclude = …"),
        ("--uid=0", "uid", "USER@HOST"),
        ("--dependency=singleton", "dependency=singleton", "wait for nothing"),
        ("-d afterok:12,singleton", "dependency=singleton", "wait for nothing"),
        ("--wait", "wait", "`locusts run`"),
        ("-W", "wait", "`locusts run`"),
        ("--test-only", "test-only", "`locusts check`"),
        ("--wrap='sleep 5'", "wrap", "setup"),
        ("--external", "external", "nothing would run"),
        ("--array=0-9%2", "array", "nodes of the target"),
        ("-a1-2", "array", "nodes of the target"),
        ("-N2", "nodes", "nodes of the target"),
        ("-n 2", "ntasks", "slots of the target"),
        ("-c8", "cpus-per-task", "cpus_per_task"),
        ("-J name", "job-name", "found by their names"),
        ("--output=x", "output", "exec/logs"),
        ("-e x", "error", "exec/logs"),
        ("--chdir=/data", "chdir", "sandbox of its own"),
        ("-D /data", "chdir", "sandbox of its own"),
        ("--open-mode=truncate", "open-mode", "same log"),
        ("--no-requeue", "no-requeue", "`locusts cancel`"),
        ("--requeue", "requeue", "`locusts cancel`"),
        ("--signal=USR1", "signal", "time limit"),
    ],
)
def test_what_is_refused(line: str, name: str, words: str) -> None:
    found = refusal(line)
    assert found is not None
    assert found.startswith(f"--{name} cannot be here: ")
    assert words in found


@pytest.mark.parametrize(
    "line",
    [
        "--hint=nomultithread", "--hold", "-H", "--begin=now+1day", "--comment='a b'", "--comment='-M X'",
        "--comment=x # --wait", "--partition=p", "-pM", "-C M", "-koff", "--cluster-constraint=x", "--wait-all-nodes=1",
        "--time-min=1", "--ntasks-per-node=2", "--nodelist=n1", "-w nW", "--exclusive", "--no-kill", "--array-of-ours",
        "--dependency=afterok:12", "-d afterany:1", "--mem=0", "--export=NONE", "--nice", "-vv", "--", "-",
        "--comment='x", "--site-option", "--x11",
    ],
)  # fmt: skip
def test_what_is_passed_on(line: str) -> None:
    assert refusal(line) is None
