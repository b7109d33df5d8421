"""`locusts convert`: a parameter file of the original becomes a locusts.toml that loads and means the same."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.config.load import load, load_config
from locusts_fab.errors import ConfigError
from locusts_fab.legacy.convert import convert
from locusts_fab.legacy.parfile import read_parameters
from tests.unit.legacy.test_parfile import HPC, MEANINGS, PUBLISHED

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.tables import Config

PARTS: dict[str, Any] = {
    "indir": "in",
    "outdir": "results/s",
    "cmd": "cat f_<id>.txt <shared>k > out.txt",
    "spcins": ["f_<id>.txt"],
    "shdins": ["k:common.txt"],
    "outs": ["out.txt"],
}


def converted(folder: Path, parameters: str | bytes, code: str = "s", given: dict[str, Any] | None = None) -> Config:
    """Convert a parameter file, and load what comes of it."""
    path = folder / "old.par"
    path.write_bytes(parameters if isinstance(parameters, bytes) else parameters.encode())
    (folder / "locusts.toml").write_text(convert(str(path), code, given), "utf-8")
    return load_config(folder / "locusts.toml")


@pytest.mark.parametrize(("text", "target"), MEANINGS)
def test_it_means_what_the_parameters_mean(tmp_path: Path, text: str, target: dict[str, Any]) -> None:
    config = converted(tmp_path, text)
    ((name, found),) = config.targets.items()
    assert name == read_parameters(tmp_path / "old.par").target_name
    given = {key: value for key, value in found.model_dump(exclude_unset=True).items() if key != "scheduler"}
    expected = {key: (value,) if key == "scratch" else value for key, value in target.items() if key != "scheduler"}
    assert given == expected
    assert found.scheduler == target.get("scheduler", "none")
    assert load(tmp_path / "locusts.toml").target_name == name


def test_the_swarm_is_the_one_that_was_given(tmp_path: Path) -> None:
    swarm = converted(tmp_path, PUBLISHED, "my.swarm", PARTS).swarms["my.swarm"]
    assert swarm.model_dump(exclude_unset=True) == {
        "target": "cluster",
        "command": PARTS["cmd"],
        "strict": False,
        "indir": "in",
        "outdir": "results/s",
        "inputs": ["f_<id>.txt"],
        "outputs": ["out.txt"],
        "shared": {"k": "common.txt"},
    }
    assert "example" not in (tmp_path / "locusts.toml").read_text()


def test_what_nobody_gave_is_marked_as_an_example(tmp_path: Path) -> None:
    swarm = converted(tmp_path, "").swarms["s"]
    assert swarm.command == "cat inputfile_<id>.txt <shared>sf1 > cat_output_<id>.txt"
    text = (tmp_path / "locusts.toml").read_text()
    assert text.count("# an example; ") == 6
    swarm = converted(tmp_path, "", given={"indir": "in"}).swarms["s"]
    assert (swarm.indir, swarm.outdir, swarm.shared, swarm.outputs) == ("in", "my_output_dir", {}, [])
    assert (tmp_path / "locusts.toml").read_text().count("# an example; ") == 3


def test_what_has_no_meaning_stands_in_comments(tmp_path: Path) -> None:
    converted(tmp_path, HPC + "waiting_time 60\npartition a\npartition b\x07\nforce_redo True\nonly_gather True\n")
    lines = (tmp_path / "locusts.toml").read_text().splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    assert [line for line in comments if "waiting_time has no meaning here" in line]
    assert [line for line in comments if line.endswith(r"the last one counts: b\x07")]
    assert [line for line in comments if line.endswith("locusts submit --redo")]
    assert [line for line in comments if line.endswith("locusts collect")]


VALUE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(str.strip)
#: A path that begins with a variable is refused: launch() put none in either.
PATH = VALUE.filter(lambda text: not text.startswith("$"))


@given(command=VALUE, path=PATH, key=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True))
def test_any_text_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, command: str, path: str, key: str
) -> None:
    parts = {**PARTS, "cmd": command, "indir": path, "shdins": [f"{key}:file"]}
    swarm = converted(tmp_path_factory.getbasetemp(), "", key, parts).swarms[key]
    assert swarm.command is not None
    assert swarm.command.replace(":raw>", ">") == command.replace(":raw>", ">")
    assert (swarm.indir, swarm.shared) == (path, {key: "file"})


@given(text=st.text())
def test_any_parameters_that_can_be_read_become_a_config(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    lines = f"extra_outer_statements {text}\npartition {text}"
    with contextlib.suppress(ConfigError):
        assert converted(tmp_path_factory.getbasetemp(), lines.encode("utf-8", "surrogatepass")).swarms


@pytest.mark.parametrize(
    ("parameters", "code", "parts", "expected"),
    [
        (b"hots_name x", "s", {}, "line 1: hots_name: unknown key; did you mean host_name?"),
        (b"extra_outer_statements cd /\xff", "s", {}, "bytes that are not UTF-8"),
        (b"", "a b", {}, "'a b' cannot name a swarm"),
        (b"", "s", {"shdins": ["k"]}, r"shdins\[0\]: expected key:file"),
        (b"number_of_processors 0", "s", {}, "old.par: number_of_processors: expected at least 1; found 0"),
    ],
)
def test_mistakes(tmp_path: Path, parameters: bytes, code: str, parts: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        converted(tmp_path, parameters, code, parts)
