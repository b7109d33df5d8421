"""Swarms made in Python: the same keys, checks and words as in a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import locusts_fab
from locusts_fab.config.keys import SwarmKeys
from locusts_fab.config.load import load
from locusts_fab.config.schema import SwarmSettings
from tests.support.configs import problems_of, write


def test_every_key_is_an_argument() -> None:
    keys = {field.alias or name for name, field in SwarmSettings.model_fields.items()}
    assert set(SwarmKeys.__annotations__) == keys - {"command", "target"}, "see config/keys.py"


def test_the_same_as_from_a_file(tmp_path: Path) -> None:
    text = """
        [targets.t]
        mode = "local"
        slots = 3
        [swarms.s]
        command = "cat <id>.txt <shared>ref > out"
        indir = "in"
        inputs = ["<id>.txt"]
        outputs = ["out"]
        shared = { ref = "r.txt" }
        timeout = "10m"
        env = { A = 1, B = true, C = "<x>" }
    """
    made = locusts_fab.Swarm.from_command(
        "cat <id>.txt <shared>ref > out",
        name="s",
        target={"mode": "local", "slots": 3},
        target_name="t",
        folder=tmp_path,
        indir=Path("in"),
        inputs=("<id>.txt",),
        outputs=["out"],
        shared={"ref": Path("r.txt")},
        timeout="10m",
        retries=None,
        env={"A": 1, "B": True, "C": "<x>"},
    )
    read = load(write(tmp_path, text))
    assert (made.settings, made.target, made.folder) == (read.settings, read.target, read.folder)
    assert (made.state_dir, made.outdir, made.environment_dir) == (read.state_dir, read.outdir, read.environment_dir)
    assert made.config_path is None


def test_values_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    swarm = locusts_fab.Swarm.from_command("echo <a>", name="s", sweep={"a": range(2), "b": (0.5, "x", True)})
    assert swarm.settings.sweep == {"a": ["0", "1"], "b": ["0.5", "x", "true"]}
    assert (swarm.target.mode, swarm.target_name, swarm.folder) == ("local", "here", Path.cwd())


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"inputz": ["<id>"]}, 'inputz = ["<id>"]', "swarms.s.inputz: unknown key"),
    ({"retries": "3", "args": [["1"]]}, 'retries = "3"\nargs = [["1"]]', "swarms.s.retries: expected a whole number"),
    ({"outputs": "out", "args": [["1"]]}, 'outputs = "out"\nargs = [["1"]]', "swarms.s.outputs: expected an array"),
    ({}, "", "swarms.s: nothing makes tasks"),
    ({"env": {"A": "$X"}, "args": [["1"]]}, 'env = { A = "$X" }\nargs = [["1"]]', "swarms.s.env.A: a $ is not"),
]


@pytest.mark.parametrize(("keys", "toml", "problem"), WRONG)
def test_what_is_wrong_is_said_in_the_words_of_a_config(
    tmp_path: Path, keys: dict[str, Any], toml: str, problem: str
) -> None:
    with pytest.raises(locusts_fab.ConfigError) as raised:
        locusts_fab.Swarm.from_command("c", name="s", folder=tmp_path, **keys)
    assert list(raised.value.problems) == problems_of(write(tmp_path, f"[swarms.s]\ncommand = 'c'\n{toml}\n"))
    assert any(line.startswith(problem) for line in raised.value.problems)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"name": "a b"}, 'swarms."a b": a name is'),
        ({"target": {"mode": "remote"}}, "targets.here.host: missing"),
        ({"target": {"prot": 1}}, "targets.here.mode: missing"),
        ({"gpus_per_task": 1}, "swarms.s.gpus_per_task: nobody knows how many there are"),
        ({"args": [[object()]]}, "swarms.s.args[0][0]: "),
        ({"target": "cluster"}, "targets.here: expected a table"),
        ({"command": b"bytes"}, "swarms.s.command: expected text"),
    ],
)
def test_what_only_python_can_say_wrong(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(locusts_fab.ConfigError) as raised:
        locusts_fab.Swarm.from_command(**{"command": "c", "name": "s", "args": [["1"]], **keys})
    assert any(line.startswith(problem) for line in raised.value.problems), raised.value.problems
