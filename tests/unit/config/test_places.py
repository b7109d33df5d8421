"""Which environments of this machine would lie where the state of a swarm has its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locusts_fab.config.load import load
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import ConfigError
from tests.support.configs import write

if TYPE_CHECKING:
    from pathlib import Path

TASKS = 'command = "c"\nargs = [["1"]]\n'
CUSTOM = f'{TASKS}environment = "custom"\nroot = "tree"\n'


def config(swarms: dict[str, str], **targets: str) -> str:
    """Return a config of such tables."""
    tables = [f"[targets.{name}]\n{text or local()}" for name, text in targets.items()]
    return "\n".join([*tables, *(f"[swarms.{name}]\n{text}" for name, text in swarms.items())])


def local(root: str = "") -> str:
    """Return the keys of a target in mode local."""
    return 'mode = "local"\n' + (f'root = "{root}"\n' if root else "")


REMOTE = 'mode = "remote"\nhost = "h"\nroot = ".locusts/test"\n'
SHARED = 'mode = "remote-shared"\nhost = "h"\nroot = "/r"\nshared_root = ".locusts/./test/"\n'
BOTH = {"test": TASKS, "lock": TASKS}


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        (config(BOTH, test=""), False),
        (config({"test": TASKS, "lock": f'{TASKS}target = "test"'}, test="", other=""), False),
        (config({"test": TASKS, "lock": f'{TASKS}target = "other"'}, test="", other=""), True),
        (config(BOTH, here=""), True),
        (config(BOTH, here=local(".locusts/test")), False),
        (config(BOTH, here=local("./.locusts/../.locusts/test/")), False),
        (config(BOTH, test=local("elsewhere")), True),
        (config(BOTH, test=REMOTE), True),
        (config(BOTH, test=SHARED), False),
        (config({"lock": TASKS}, lock=""), False),
        (config({"test": TASKS, '"ledger.sqlite-wal"': TASKS}, test=""), False),
        (config({"test": TASKS, '"replica.tsv"': TASKS}, test=""), False),
        (config({"test": TASKS, "stage-2": TASKS, "unarchived": TASKS, "incoming-x": TASKS}, test=""), True),
        (config({"test": TASKS, "logs": TASKS, "failed": TASKS, '"tasks.tsv"': TASKS}, test=""), True),
        (config({"test": CUSTOM, "logs": TASKS}, test=""), False),
        (config({"test": CUSTOM + 'outdir = "out"', "logs": TASKS}, test=""), True),
        (config({"test": TASKS + 'outdir = ".locusts/test"', "failed": TASKS}, test=""), False),
    ],
)
def test_no_environment_lies_at_a_file_of_the_state(tmp_path: Path, text: str, *, is_fine: bool) -> None:
    path = write(tmp_path, text)
    if is_fine:
        assert load(path, "test", "test" if "[targets.other]" in text else None)
        return
    with pytest.raises(ConfigError) as caught:
        load(path, "test" if "swarms.test" in text else "lock", "test" if "[targets.other]" in text else None)
    (problem,) = caught.value.problems
    assert "give the target another root" in problem


def test_the_target_that_is_named_counts(tmp_path: Path) -> None:
    path = write(tmp_path, config(BOTH, test="", other=""))
    assert load(path, "lock", "other").target_name == "other"
    assert load(path, "test", "test").target_name == "test"
    with pytest.raises(ConfigError, match="swarm lock"):
        load(path, "lock", "test")


def test_so_it_is_in_python(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the place for swarm lock"):
        Swarm.from_command("c", name="lock", target_name="lock", folder=tmp_path, args=[["1"]])
    assert Swarm.from_command("c", name="lock", folder=tmp_path, args=[["1"]]).name == "lock"
