"""Which files are a config and which are none, and how a swarm and its target are chosen from one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.config.load import load, load_config
from locusts_fab.config.tables import Config
from locusts_fab.errors import ConfigError
from tests.support.configs import CLUSTER, LOCAL, OTHERS, PAIRS, SWARM, TARGETS, problems_of, write


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "swarms: there is none; add a table [swarms.NAME] with a command"),
        ("[swarms]", "swarms: there is none; add a table [swarms.NAME] with a command"),
        ("swarms = []", "swarms: expected tables, [swarms.NAME]; found an array"),
        ("swarm = 3", "swarm: unknown key; did you mean swarms?"),
        ("zzz = 3\n" + SWARM, "zzz: unknown key; the keys here are targets, swarms"),
        ("[a]\nb =", "line 2, column 4: not TOML: invalid value; the value is missing after the ="),
        (
            "a = 1\na = 2\n",
            (
                "line 2, column 6: not TOML: cannot overwrite a value; "
                "this key stands twice in its table; keep one of them"
            ),
        ),
        ('a = "x', "line 1, column 7: not TOML: unterminated string; the quotes at its end are missing"),
        (f"a = {'[' * 100_000}", "not TOML that can be read: arrays or tables are nested too deeply"),
        (f"a = {'1' * 5000}", "not TOML that can be read: a number in it is too long; put it in quotes"),
        (b"a = 1\n# caf\xe9\n", "line 2: byte 0xe9 is not UTF-8; save the file as UTF-8 text"),
        (SWARM.encode("utf-16"), "line 1: not TOML: it is UTF-16; save the file as UTF-8 text"),
    ],
)
def test_files_that_are_no_config(tmp_path: Path, content: str | bytes, problem: str) -> None:
    assert problems_of(write(tmp_path, content)) == [problem]


def test_a_missing_file_and_a_folder_say_what_to_do(tmp_path: Path) -> None:
    missing = "no such file; write one with a [swarms.NAME] table, or say where it is with --config FILE"
    assert problems_of(tmp_path / "none.toml") == [missing]
    assert problems_of(tmp_path) == ["cannot be read: Is a directory; say which file it is with --config FILE"]
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbf" + SWARM.replace("\n", "\r\n").encode())
    assert list(load_config(path).swarms) == ["s"]


def test_a_swarm_alone_runs_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, SWARM)
    monkeypatch.chdir(tmp_path)
    swarm = load()
    assert (swarm.name, swarm.target_name, swarm.target.mode, swarm.folder) == ("s", "here", "local", Path.cwd())
    assert swarm.state_dir == swarm.folder / ".locusts" / "s"
    assert (swarm.indir, swarm.outdir) == (swarm.folder, swarm.folder / "results" / "s")
    assert swarm.root == str(swarm.folder / ".locusts" / "here")
    assert swarm.environment_dir == f"{swarm.root}/s"
    assert swarm.slots == len(os.sched_getaffinity(0))


def test_paths_are_relative_to_the_file_and_know_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    folder = tmp_path / "a b'\n$(x)"
    folder.mkdir()
    text = '[targets.t]\nmode = "local"\nroot = "~/envs"\n' + SWARM + 'indir = "in"\noutdir = "/abs/out"\n'
    swarm = load(write(folder, text))
    assert (swarm.root, swarm.indir, swarm.outdir) == ("/home/me/envs", folder / "in", Path("/abs/out"))
    assert swarm.resolve("~nobody-of-this-name/x") == folder / "~nobody-of-this-name/x"


def test_what_stands_on_the_target_stays_as_written(tmp_path: Path) -> None:
    swarm = load(write(tmp_path, CLUSTER.replace("/r", "~/r") + SWARM))
    assert (swarm.root, swarm.environment_dir, swarm.slots) == ("~/r", "~/r/s", 0)


def test_slots_of_this_machine_leave_room_for_wide_tasks(tmp_path: Path) -> None:
    path = write(tmp_path, SWARM + "cpus_per_task = 10000")
    assert load(path).slots == 1
    assert load(write(tmp_path, LOCAL + "slots = 7\n" + SWARM)).slots == 7
    assert load(write(tmp_path, LOCAL + 'scheduler = "slurm"\n' + SWARM)).slots == 0


def test_a_custom_environment_keeps_its_lists_with_the_state(tmp_path: Path) -> None:
    swarm = load(write(tmp_path, TARGETS + OTHERS), "world", "here")
    assert swarm.outdir == swarm.state_dir


@pytest.mark.parametrize(
    ("swarm", "target", "problem"),
    [
        (None, None, "swarms: there are several; choose with --swarm: pairs, grid, file, sweep, list, world"),
        ("pair", None, 'swarms: no swarm named "pair"; did you mean pairs?'),
        ("zzz", None, 'swarms: no swarm named "zzz"; the swarms are pairs, grid, file, sweep, list, world'),
        ("list", None, "swarms.list.target: missing; choose one, here or with --target: here, cluster"),
        ("list", "clutser", 'targets: no target named "clutser"; did you mean cluster?'),
    ],
)
def test_a_choice_that_cannot_be_made(tmp_path: Path, swarm: str | None, target: str | None, problem: str) -> None:
    path = write(tmp_path, TARGETS + PAIRS + OTHERS)
    with pytest.raises(ConfigError) as caught:
        load(path, swarm, target)
    assert caught.value.problems == (problem,)


def test_the_target_can_be_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, TARGETS + PAIRS + OTHERS)
    assert load(path, "pairs").target_name == "here"
    assert load(path, "pairs", "cluster").target_name == "cluster"
    assert load(path, "list", "here").target_name == "here"


FRAGMENTS = st.sampled_from(
    [
        "[targets.t]", "[swarms.s]", "[[swarms]]", "[targets.t.slurm]", "swarms = 1", "targets = []", "mode = 'local'",
        "mode = 'remote'", "host = 'h'", "scheduler = 'slurm'", "command = 'c'", "args = [[1]]", "slots = 1e3",
        "sweep = {a = [inf, nan]}", "sweep = []", "env = {A = 1979-05-27T07:32:00Z}", "timeout = nan", "slurm = 3",
        "timeout = -0.0", "container = {}", "container.x.y = 1", "'' = 1", '"\\u0000" = 1', "target = 3",
        "inputs = ['<id>']", "shared.x.y = 1",
    ]
)  # fmt: skip
TOML_LIKE = st.lists(FRAGMENTS | st.text(max_size=20), max_size=12).map(lambda lines: "\n".join(lines).encode())


@given(content=st.binary() | TOML_LIKE | st.text().map(str.encode))
def test_no_file_whatever_gives_anything_but_a_config_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content)
    problems: tuple[str, ...] = ()
    try:
        config = load_config(path)
    except ConfigError as error:
        problems = error.problems
    else:
        assert isinstance(config, Config)
    assert all(line.isprintable() for line in problems)


def test_the_package_loads_without_pydantic() -> None:
    script = "import sys, locusts_fab, locusts_fab.errors; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
