"""The plan: what is read of it is what was written whole, wherever it was cut, and whosever it is."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.bounds.entries import outputs_of
from locusts_fab.layout import Environment
from locusts_fab.manager.planfile import ForgedPlanError, PlannedChunk, ValuesFiles, parse_plan, plan_text, tasks_list
from locusts_fab.model.tasks import Chunk, PlannedTask
from locusts_fab.tsv import join_fields, unescape
from tests.support.environments import ID, OTHER_ID

TASKS = [
    PlannedTask(1, "a", "echo 'a\tb'\n", (), ("out", ".hidden")),
    PlannedTask(2, "\udcff", "end\t2", (), ()),
    PlannedTask(30, "c.", ".", (), (".x", "y\\.")),
]


def printed(data: bytes, number: int = 1) -> bytes:
    """Return what `read_plan.sh` prints of a chunk: the lines that have an end."""
    whole = data[: data.rfind(b"\n") + 1]
    return b"chunk\t%06d\n" % number + whole


def test_what_was_written_is_read() -> None:
    plan = printed(os.fsencode(plan_text(TASKS[:2], ID)), 7) + printed(os.fsencode(plan_text(TASKS[2:], ID)), 8)
    assert list(parse_plan(plan, ID)) == [
        PlannedChunk(7, TASKS[:2], is_whole=True),
        PlannedChunk(8, TASKS[2:], is_whole=True),
    ]


@pytest.mark.parametrize("cut", range(len(os.fsencode(plan_text(TASKS, ID)))))
def test_a_plan_that_was_cut_gives_the_tasks_that_are_whole(cut: int) -> None:
    data = os.fsencode(plan_text(TASKS, ID))[:cut]
    after = printed(os.fsencode(plan_text(TASKS[:1], ID)), 2)
    first, second = parse_plan(printed(data) + after, ID)
    assert first == PlannedChunk(1, TASKS[: data.count(b"\n")], is_whole=False)
    assert second == PlannedChunk(2, TASKS[:1], is_whole=True)


@pytest.mark.parametrize("hole", [b"\0" * 20, b"\n", b""])
def test_a_plan_with_a_hole_is_not_whole(hole: bytes) -> None:
    data = os.fsencode(plan_text(TASKS, ID))
    (chunk,) = parse_plan(printed(data[:10] + hole + data[30:]), ID)
    assert not chunk.is_whole
    assert [task for task in chunk.tasks if task not in TASKS] == []


def test_the_plan_of_another_environment_is_none() -> None:
    assert list(parse_plan(printed(os.fsencode(plan_text(TASKS, OTHER_ID))), ID)) == [
        PlannedChunk(1, [], is_whole=False)
    ]


def test_the_plan_of_an_older_version_is_none() -> None:
    assert list(parse_plan(b"chunk\t000001\n1\ta\ttrue\tout\n", ID)) == [PlannedChunk(1, [], is_whole=False)]


@pytest.mark.parametrize(
    ("task_id", "output"),
    [
        ("../../../home/.ssh", "authorized_keys"),
        ("a", "../../../home/.ssh/authorized_keys"),
        ("/root/.ssh", "authorized_keys"),
        ("a", "/root/.ssh/authorized_keys"),
        ("..", "x"),
        ("tasks.tsv", "x"),
        ("a/b", "x"),
        ("a", "b//c"),
        ("x" * 252, "x"),
        ("a", "x" * 256),
    ],
)
def test_a_plan_that_no_swarm_of_ours_has(task_id: str, output: str) -> None:
    plan = plan_text([TASKS[0], PlannedTask(2, task_id, "true", (), ("fine", output))], ID)
    with pytest.raises(ForgedPlanError, match="chunk 1 holds a name that no task of ours has: "):
        list(parse_plan(printed(os.fsencode(plan)), ID))


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "\u0663", "-1", "0", "1e3"])
def test_a_number_that_is_none_is_damage(number: str) -> None:
    plan = os.fsencode(plan_text(TASKS[:1], ID))
    (chunk,) = parse_plan(printed(os.fsencode(number) + plan[1:]), ID)
    assert chunk == PlannedChunk(1, [], is_whole=False)
    assert list(parse_plan(b"chunk\t" + os.fsencode(number) + b"\n" + plan, ID)) == []


# ---- values ----


VALUES = [
    PlannedTask(1, "000001", "x", (), (), join_fields(("t", "a\tb\n", "s", ""))),
    PlannedTask(2, "000002", "x", (), ()),
    PlannedTask(3, "000003", "x", (), (), join_fields(("t", "\udcff"))),
]


def test_values_come_back() -> None:
    files = ValuesFiles(Environment("/e", ID))
    assert files.add(VALUES[:2], Chunk(7, 2), is_last=False) is None
    made = files.add(VALUES[2:], Chunk(8, 1), is_last=True)
    assert made is not None
    name, data = made
    assert name == "exec/plan/000008.values"
    expected = {1: (("t", "a\tb\n"), ("s", "")), 3: (("t", "\udcff"),)}
    text = b"chunk\t000008.values\n" + data
    assert list(parse_plan(text + b"more\n", ID)) == [PlannedChunk(8, [], is_whole=True, values=expected)]
    nothing = [PlannedChunk(8, [], is_whole=True)]
    assert list(parse_plan(text, OTHER_ID)) == nothing
    for damaged in (
        text[:-3],
        text.replace(b"1\tt", b"1\tt\tu"),
        text.replace(b"3\tt", b"x"),
        text.replace(b"1\t", b"\0\t", 1),
    ):
        assert list(parse_plan(damaged, ID)) == nothing


def test_there_is_no_file_of_values_where_there_are_none_and_several_where_there_are_many() -> None:
    files = ValuesFiles(Environment("/e", ID))
    assert files.add(VALUES[1:2], Chunk(1, 1), is_last=True) is None
    many = [PlannedTask(number, "x", "x", (), (), join_fields(("t", "x" * 1000))) for number in range(100)]
    made = [files.add(many, Chunk(number, 100), is_last=number == 29) for number in range(30)]
    assert [number for number, file in enumerate(made) if file] == [9, 19, 29]


def test_inputs_stand_beside_patterns_only_and_are_no_outputs() -> None:
    outputs = outputs_of(["out", "/go/*.csv"])
    patterned = PlannedTask(1, "a", "true", ("in *.txt", "d/x"), outputs)
    plain = PlannedTask(2, "b", "true", ("in *.txt",), outputs_of(["/o/out"]))
    plan = plan_text([patterned, plain], ID)
    assert plan.split("\n")[:2] == [
        "1\ta\ttrue\tout\t/go/*.csv\t/i/in *.txt\t/i/d/x\t.",
        "2\tb\ttrue\t/o/out\t.",
    ]
    (chunk,) = parse_plan(printed(os.fsencode(plan)), ID)
    assert [task.outputs for task in chunk.tasks] == [patterned.outputs, plain.outputs]


@pytest.mark.parametrize("output", ["/etc/passwd", "/g/../x", "/g//etc", "/x", "/"])
def test_an_entry_that_leads_out_is_forged(output: str) -> None:
    data = os.fsencode(f"1\ta\ttrue\t{output}\t.\nend\t1\t{ID}\t.\n")
    with pytest.raises(ForgedPlanError):
        list(parse_plan(printed(data), ID))


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)))
def test_the_list_says_all_ids(ids: list[str]) -> None:
    *lines, last, end = tasks_list(enumerate(ids, 1), "c0ffee12").split("\n")
    assert (last, end) == (f"end\t{len(ids)}\tc0ffee12\t.", "")
    assert [line.split("\t")[0::2] for line in lines] == [[str(number), "."] for number in range(1, len(ids) + 1)]
    assert [unescape(line.split("\t")[1]) for line in lines] == ids
