"""Swarms that come after others: what a config may say, and in which order they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.config.load import load, load_all
from locusts_fab.config.schema import SwarmSettings
from locusts_fab.config.tables import in_order, predecessors
from tests.support.configs import problems_of, write

if TYPE_CHECKING:
    from pathlib import Path

ONE = """
[swarms.{name}]
command = "x <id>"
inputs = [{inputs}]
after = [{after}]
"""


def swarm(name: str, after: str = "", inputs: str = '"<id>"') -> str:
    return ONE.format(name=name, after=after, inputs=inputs)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (swarm("stage1") + swarm("b", '"stage"'), ['swarms.b.after[0]: no swarm named "stage"; did you mean stage1?']),
        (
            swarm("a") + swarm("b", inputs='"@stage1/<id>/x"'),
            ['swarms.b.inputs[0]: no swarm named "stage1"; the swarms are a'],
        ),
        (swarm("a", '"a"'), ["swarms.a.after[0]: a swarm cannot come after itself"]),
        (swarm("a", inputs='"@a/<id>/x"'), ["swarms.a.inputs[0]: a swarm cannot come after itself"]),
        (
            swarm("a", '"b"') + swarm("b", inputs='"@c/<id>/x"') + swarm("c", '"a"') + swarm("d", '"a"'),
            ["swarms.a.after: these swarms come after each other in a circle: a -> b -> c -> a"],
        ),
        (
            swarm("a") + swarm("b", inputs='"@a/<id>"'),
            ['swarms.b.inputs[0]: expected @SWARM/TASK/OUTPUT, such as @a/<id>/out.txt; found "@a/<id>"'],
        ),
        (
            swarm("a") + swarm("b", inputs='"@a/../<id>"'),
            ['swarms.b.inputs[0]: must not lead upward; take the .. out; found "@a/../<id>"'],
        ),
        (
            '[swarms.a]\ncommand = "x"\nenvironment = "custom"\nroot = "t"\nargs = [["1"]]\n'
            + swarm("b", inputs='"@a/<id>/x"'),
            ["swarms.b.inputs[0]: the tasks of a share one tree, so none has results of its own"],
        ),
        (
            swarm("a") + swarm("b").replace("after =", "depends_on ="),
            ["swarms.b.depends_on: unknown key; it is called after"],
        ),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, text: str, problems: list[str]) -> None:
    found = problems_of(write(tmp_path, text))
    if "circle" in problems[0]:  # it may begin anywhere
        assert len(found) == 1
        way = found[0].rpartition(": ")[2].split(" -> ")
        assert way[0] == way[-1]
        assert "a -> b -> c -> a -> b -> c".find(" -> ".join(way)) >= 0
    else:
        assert found == problems


def test_those_after_others_come_after_them(tmp_path: Path) -> None:
    text = swarm("last", '"mid", "first"') + swarm("apart") + swarm("mid", inputs='"@first//<id>/./x"') + swarm("first")
    path = write(tmp_path, text)
    assert [each.name for each in load_all(path)] == ["last", "apart", "mid", "first"]
    assert [each.name for each in load_all(path, to_run=True)] == ["apart", "first", "mid", "last"]
    last = load(path, "last")
    assert list(last.before) == ["mid", "first"]
    assert last.before["mid"].before["first"] is last.before["first"]
    assert last.before["mid"].settings.inputs == ["@first/<id>/x"]


def test_one_that_comes_before_keeps_its_own_target(tmp_path: Path) -> None:
    targets = '[targets.here]\nmode = "local"\n[targets.there]\nmode = "local"\n'
    first = swarm("first") + 'target = "here"\n'
    path = write(tmp_path, targets + first + swarm("last", '"first"'))
    last = load(path, "last", "there")
    assert (last.target_name, last.before["first"].target_name) == ("there", "here")


@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=9), st.data())
def test_any_order_without_circles_is_found(before: list[set[int]], data: st.DataObject) -> None:
    names = data.draw(st.permutations(range(len(before))))
    swarms = {
        str(at): SwarmSettings(command="x", after=[str(each) for each in before[at] if each < at]) for at in names
    }
    found = in_order(swarms)
    assert sorted(found) == sorted(swarms)
    assert all(found.index(other) < found.index(each) for each in found for other in predecessors(swarms[each]))
