"""Where results would land: on nothing of the user's own, and never where they are taken for inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from locusts_fab.config.load import load
from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.plan.places import _SoughtName
from locusts_fab.plan.tasks import make_plan
from locusts_fab.shell.template import Template

if TYPE_CHECKING:
    from pathlib import Path

FILES: dict[str, Any] = {"indir": "in", "inputs": ["<id>.txt"], "outputs": ["<id>.out"]}
ARGS: dict[str, Any] = {"args": [["1"], ["2"]], "outputs": ["out"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project folder with some inputs and links."""
    for name in ("in/a.txt", "in/b.txt", "in/lists/rows.csv", "in/c/reads.fq", "in/d/d.fq", "results/s/keep/me"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "alias").symlink_to("in")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/a.txt").symlink_to("../results/s/a/a.txt")
    return tmp_path


def plan(folder: Path, **settings: Any) -> None:
    target = Target(mode="local", root=settings.pop("target_root", None))
    if "inputs" in settings:
        settings["inputs"] = [name.replace("{here}", str(folder)) for name in settings["inputs"]]
    made = SwarmSettings.model_validate({"command": "true", **settings})
    make_plan(Swarm("s", made, "here", target, folder), "/e")


def refusal(folder: Path, **settings: Any) -> str:
    """Return why a config is refused, and see that something is said about what to change."""
    with pytest.raises(PlanError) as caught:
        plan(folder, **settings)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        # over the inputs themselves: flat, a folder for each task, through a link, as a part of a folder
        ({**FILES, "outdir": "in", "layout": "flat", "outputs": ["<id>.txt"]}, "the input a.txt of task a: "),
        ({**FILES, "outdir": "alias", "layout": "flat", "outputs": ["<id>.txt"]}, "the input a.txt of task a: "),
        ({**FILES, "indir": "alias", "outdir": "in", "layout": "flat", "outputs": ["<id>.txt"]}, "the input a.txt of"),
        ({"indir": "in", "inputs": ["<id>/reads.fq"], "outdir": "in", "outputs": ["reads.fq"]}, "input c/reads.fq"),
        ({**FILES, "outdir": ".", "layout": "flat", "outputs": ["in"], "args": [["1"]], "inputs": ["a.txt"]}, "a.txt"),
        ({"args": [["1"]], "inputs": ["in/a.txt"], "outdir": "in", "layout": "flat", "outputs": ["a.txt/x"]}, "a.txt"),
        # over what else is read
        ({"args_file": "in/lists/rows.csv", "outdir": "in", "outputs": ["lists"], "layout": "flat"},
         "the args_file in/lists/rows.csv: "),
        ({"args_file": "tasks.tsv", "outdir": "."}, "the args_file tasks.tsv: "),
        ({**ARGS, "args": [["1"]], "shared": {"k": "in"}, "outdir": ".", "layout": "flat", "outputs": ["in/new"]},
         "shared.k: "),
        ({**ARGS, "args": [["1"]], "outdir": ".", "layout": "flat", "outputs": ["locusts.toml"]}, "the config file: "),
        ({**ARGS, "args": [["1"]], "outdir": ".", "layout": "flat", "outputs": [".locusts/x"]}, "the local state: "),
        # folders that are none for results
        ({**ARGS, "outdir": ".locusts"}, "lies in the folder for the local state"),
        ({**ARGS, "outdir": ".locusts/s/results"}, "lies in the folder for the local state"),
        ({**ARGS, "target_root": "envs", "outdir": "envs/s/work"}, "lies in the environment"),
        ({"environment": "custom", "root": "in", "outdir": "in", "args": [["1"]]}, "is the tree itself"),
        ({"environment": "custom", "root": "logs", "outdir": ".", "args": [["1"]]}, "the tree: "),
    ],
)  # fmt: skip
def test_nothing_lands_on_what_is_there_for_other_reasons(project: Path, settings: dict[str, Any], said: str) -> None:
    (project / "tasks.tsv").write_text("x\n1\n", encoding="utf-8")
    (project / "logs").mkdir()
    assert said in refusal(project, **{key: value for key, value in settings.items() if value is not None})


def test_an_input_that_is_a_link_to_a_result_is_not_replaced(project: Path) -> None:
    (project / "results/s/a").mkdir()
    (project / "results/s/a/a.txt").touch()
    config = {"indir": "links", "inputs": ["<id>.txt"], "outdir": "results/s", "outputs": ["<id>.txt"]}
    assert "the input a.txt of task a: " in refusal(project, **config)
    plan(project, **{**config, "outputs": ["<id>.out"]})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**FILES, "outdir": "in", "layout": "flat", "outputs": ["<id>.out.txt"]}, "matches the input <id>.txt"),
        ({**FILES, "outdir": "alias", "layout": "flat", "outputs": ["<id>.out.txt"]}, "matches the input <id>.txt"),
        ({"inputs": ["{here}/in/<id>.txt"], "outdir": "in", "layout": "flat", "outputs": ["<id>_.txt"]}, "<id>.txt"),
        ({"inputs": ["{here}/alias/<id>.txt"], "outdir": "in", "layout": "flat", "outputs": ["<id>_.txt"]}, "<id>.txt"),
        ({"inputs": ["{here}/in/<id>.txt"], "outdir": "in", "layout": "flat", "outputs": ["<id>.txt"]}, "on the input"),
        ({"inputs": ["in/<id>.txt"], "outdir": "in", "layout": "flat", "outputs": ["<id>_.txt"]}, "input in/<id>.txt"),
        ({"indir": "in", "inputs": ["<id>/reads.fq"], "outdir": "in/new", "layout": "flat", "outputs": ["reads.fq"]},
         "matches the input <id>/reads.fq"),
        ({"indir": "in", "inputs": ["<id>"], "outdir": "in/results"}, "matches the input <id>,"),
        ({"indir": "in/lists", "inputs": ["<id>.csv"], "outdir": ".", "layout": "flat",
          "outputs": ["in/lists/<id>.2.csv"]}, "matches the input <id>.csv"),
        ({"indir": "tables", "inputs": ["<id>.tsv"], "outdir": "tables"}, "the table tasks.tsv would come to"),
        ({"indir": "tables", "inputs": ["logs/<id>.log"], "outdir": "tables"}, "the log of task x"),
    ],
)  # fmt: skip
def test_results_never_become_inputs_of_the_next_submit(project: Path, settings: dict[str, Any], said: str) -> None:
    for name in ("tables/x.tsv", "tables/logs/x.log"):
        (project / name).parent.mkdir(exist_ok=True, parents=True)
        (project / name).touch()
    assert said in refusal(project, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        FILES,
        {**FILES, "outdir": "in", "layout": "flat"},
        {**FILES, "outdir": "in"},
        {**FILES, "outdir": "."},
        {**FILES, "outdir": "in/results", "outputs": ["<id>.txt"]},
        {**FILES, "indir": None, "inputs": ["in/<id>.txt"]},
        {**FILES, "indir": "links", "inputs": ["{here}/in/<id>.txt"], "outdir": "in"},
        {"indir": "in", "inputs": ["<id>/reads.fq"], "outdir": "in", "outputs": ["new.fq"]},
        {"indir": "in", "inputs": ["<id>/<id>.fq"], "outdir": "in", "outputs": ["out.fq"]},
        {**ARGS, "shared": {"k": "results"}},
        {**ARGS, "outdir": ".", "layout": "flat", "outputs": ["<id>"]},
        {**ARGS, "inputs": ["in/a.txt"], "outdir": "in"},
        {"environment": "custom", "root": "in", "args": [["1"]]},
        {"environment": "custom", "root": "in", "outdir": "in/lists", "args": [["1"]]},
        {"environment": "custom", "root": "in", "outdir": ".", "args": [["1"]]},
    ],
)
def test_what_harms_nobody_is_planned(project: Path, settings: dict[str, Any]) -> None:
    plan(project, **{key: value for key, value in settings.items() if value is not None})


def test_two_swarms_with_one_outdir_are_refused(project: Path) -> None:
    (project / "same").symlink_to("results")
    swarm = "[swarms.{}]\ncommand = 'true'\nargs = [['1']]\noutdir = '{}'\n"
    (project / "other.toml").write_text(swarm.format("a", "results") + swarm.format("b", "same"), encoding="utf-8")
    with pytest.raises(PlanError, match=r"swarms\.b has the same one") as caught:
        make_plan(load(project / "other.toml", "a"), "/e")
    assert "outdir of its own" in str(caught.value.hint)
    (project / "other.toml").write_text(swarm.format("a", "x") + swarm.format("b", "y"), encoding="utf-8")
    make_plan(load(project / "other.toml", "a"), "/e")


def test_the_config_is_known_by_whatever_name_it_has(project: Path) -> None:
    text = "[swarms.a]\ncommand = 'true'\nargs = [['1']]\noutdir = '.'\nlayout = 'flat'\noutputs = ['other.toml']\n"
    (project / "other.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PlanError, match="the config file"):
        make_plan(load(project / "other.toml"), "/e")


def test_tasks_are_looked_through_only_where_it_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million of them take long, and most swarms have their inputs somewhere else."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").touch()
    monkeypatch.setattr("locusts_fab.plan.tasks.Plan.tasks", lambda _self: pytest.fail("looked through"))
    plan(tmp_path, **FILES)
    (tmp_path / "results/s").mkdir(parents=True)
    plan(tmp_path, **ARGS)


@pytest.mark.parametrize(
    ("text", "name", "is_match"),
    [
        ("<sample>_<lane>.fq", "a_1.fq", True),
        ("<sample>_<lane>.fq", "a_1_2.fq", True),
        ("<sample>_<lane>.fq", "a.fq", False),
        ("<sample>/<lane>/<sample>.fq", "a/1/a.fq/more", True),
        ("<sample>/<lane>/<sample>.fq", "a/1/b.fq", False),
        ("<a>(x)+[y].{z}", "1(x)+[y].{z}", True),
        ("<a>", "x\ny", True),
    ],
)
def test_templates_of_several_handles_match_as_their_files_do(text: str, name: str, *, is_match: bool) -> None:
    sought = _SoughtName(Template.name(text, {"sample", "lane", "a"}))
    assert sought.matches(name.split("/")) is is_match
    assert sought.may_begin(name.split("/")[:1]) or not is_match
