"""Results of other swarms as inputs: they are matched as files are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.config.schema import SwarmSettings, Target
from locusts_fab.config.swarm import Swarm
from locusts_fab.errors import PlanError
from locusts_fab.plan.files import from_inputs
from locusts_fab.plan.inputs import Earlier, Inputs, Origin
from locusts_fab.plan.tasks import Plan, make_plan

if TYPE_CHECKING:
    from locusts_fab.model.tasks import Values

MADE = Origin("t", "000001.1.c0ffee12", 1, 1.5, "")


def there(folder: Path, *outputs: str) -> Inputs:
    return Inputs(folder, {"s": Earlier("s", dict.fromkeys(outputs, MADE))})


@pytest.mark.parametrize(
    ("outputs", "inputs", "rows"),
    [
        (["2/x", "10/x", "2/y"], ["@s/<id>/x"], [("2",), ("10",)]),
        (["a_1/m_a_1.txt", "b_2/m_a_1.txt"], ["@s/<id>/m_<id>.txt"], [("a_1",)]),
        (["a_1/x", "a_2/x", "b/x"], ["@s/<sample>_<lane>/x"], [("a", "1"), ("a", "2")]),
        (["all/p/a.png", "all/p/b.png", "all/p/.c.png"], ["@s/all/p/<name>.png"], [("a",), ("b",)]),
        (["all/p"], ["@s/<id>/p"], [("all",)]),
        (["all/p"], ["@s/<id>/<name>"], [("all", "p")]),
        (["a'b/$(x)", "-n/*", "\udcff/n\nl"], ["@s/<id>/<o>"], [("-n", "*"), ("a'b", "$(x)"), ("\udcff", "n\nl")]),
    ],
)
def test_handles_take_their_values_from_results(
    tmp_path: Path, outputs: list[str], inputs: list[str], rows: list[tuple[str, ...]]
) -> None:
    source = from_inputs(tmp_path / "nowhere", inputs, there=there(tmp_path, *outputs))
    assert [tuple(value for _, value in source.own(at)) for at in range(len(source.ids))] == rows


def test_results_and_files_go_together(tmp_path: Path) -> None:
    for name in ("1.x", "2.x", "3.x", "@odd"):
        (tmp_path / name).touch()
    found = there(tmp_path, "1/y", "2/y", "all/z")
    with pytest.raises(PlanError, match="'3' lacks @s/<id>/y"):
        from_inputs(tmp_path, ["<id>.x", "@s/<id>/y"], there=found)
    source = from_inputs(tmp_path, ["<id>.x", "@s/<id>/y", "@s/all/z", "@odd"], skip_incomplete=True, there=found)
    assert source.ids == ["1", "2"]
    assert from_inputs(tmp_path, ["@<id>"], there=found).ids == ["odd"]


def test_what_nobody_made_is_told(tmp_path: Path) -> None:
    found = there(tmp_path, "1/y")
    for inputs in (["@s/<id>/z"], ["<id>.x", "@s/2/y"], ["@s/1/y/more", "@s/<id>/y"]):
        (tmp_path / "1.x").touch()
        with pytest.raises(PlanError, match=r"no done task of swarm s made .*such as '1/y'"):
            from_inputs(tmp_path, inputs, there=found)
    with pytest.raises(PlanError, match="none is done"):
        from_inputs(tmp_path, ["@s/<id>/z"], there=there(tmp_path))


def test_a_folder_that_outputs_lie_in_is_no_input(tmp_path: Path) -> None:
    found = there(tmp_path, "1/d/y", "2/d")
    assert from_inputs(tmp_path, ["@s/<id>/d"], there=found).ids == ["2"]
    with pytest.raises(PlanError, match="'1' lacks @s/<id>/d"):
        from_inputs(tmp_path, ["@s/<id>/x", "@s/<id>/d"], there=there(tmp_path, "1/x", "1/d/y", "2/x", "2/d"))
    with pytest.raises(PlanError, match="no done task of swarm s made"):
        from_inputs(tmp_path, ["@s/<id>/d/y", "@s/1/d"], there=found)


_NAMES = st.sampled_from(["a", "b", "a_b", "a_1", ".h", "1", "10", "x.txt", "a.txt"])
_ENTRIES = {
    2: ["<id>/x.txt", "<id>/<o>", "<p>_<q>/<o>", "a/<id>.txt", "<id>/<id>", "a/x.txt", "<id>/<o>.txt"],
    3: ["<id>/<o>/a", "<id>/a/<o>", "a/b/<id>.txt", "<id>/<id>/x.txt", "<p>_<q>/<o>/a.txt", "a/b/x.txt"],
}


@st.composite
def made_and_asked_for(draw: st.DrawFn) -> tuple[list[list[str]], list[str]]:
    """Return outputs and entries that are as deep: a folder on the way to an output may be an input, but no result."""
    depth = draw(st.sampled_from(sorted(_ENTRIES)))
    made = draw(st.lists(st.lists(_NAMES, min_size=depth, max_size=depth), max_size=8))
    entries = st.lists(st.sampled_from(_ENTRIES[depth]), min_size=1, max_size=3)
    return made, draw(entries.filter(lambda entries: any("<" in each for each in entries)))


def rows_of(found: Inputs, entries: list[str]) -> list[Values] | None:
    """Return the values of the tasks that entries give; None if they are refused."""
    try:
        source = from_inputs(found.indir, entries, there=found)
    except PlanError:
        return None
    return [source.own(at) for at in range(len(source.ids))]


@settings(deadline=None)
@given(made_and_asked_for())
def test_results_are_matched_as_files_are(case: tuple[list[list[str]], list[str]]) -> None:
    made, entries = case
    with tempfile.TemporaryDirectory() as folder:
        outputs = []
        for parts in made:
            path = Path(folder, "s", *parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            outputs.append("/".join(parts))
        found = there(Path(folder), *outputs)
        as_files, as_results = (rows_of(found, [f"{kind}/{each}" for each in entries]) for kind in ("s", "@s"))
    assert as_files == as_results


def plan_of(folder: Path, earlier: dict[str, Origin], **keys: object) -> Plan:
    made = SwarmSettings.model_validate({"command": "x <id>", **keys})
    swarm = Swarm("t", made, "here", Target(mode="local"), folder)
    return make_plan(swarm, "/e", earlier={"s": Earlier("s", earlier)})


def test_another_attempt_changes_the_stamp(tmp_path: Path) -> None:
    stamps = [
        next(plan_of(tmp_path, {"1/y": origin}, inputs=["@s/<id>/y"]).tasks(stamped=True)).stamp
        for origin in (MADE, MADE._replace(path="/results/1/y"), MADE._replace(start_s=2.5), MADE._replace(attempt=2))
    ]
    assert stamps[0] == stamps[1]  # collected since, or not
    assert len(set(stamps)) == 3


def test_names_that_would_be_one_in_a_sandbox_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="both @s/1/y and @s/2/y would be y"):
        list(plan_of(tmp_path, {"1/y": MADE, "2/y": MADE}, args=[["1"]], inputs=["@s/1/y", "@s/2/y"]).tasks())


def test_a_value_makes_no_result_of_an_input(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="looks like a result of a swarm s"):
        list(plan_of(tmp_path, {"1/y": MADE}, args=[["@s"]], inputs=["<arg0>/1/y"]).tasks())
