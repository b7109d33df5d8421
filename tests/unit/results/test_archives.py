"""The folder of archives under outdir: what no task is in goes, if it is an archive of ours; nothing else goes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import PlanError
from locusts_fab.plan.tasks import make_plan
from tests.support.outcomes import Case
from tests.unit.plan.test_tasks import swarm_of

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_task_of_that_name_left_stays(case: Case) -> None:
    case.plan(raw=("000001.tar",), archives=("000001.tar", "out.tar"))
    for number, name in ((1, "000001.tar"), (2, "000001.tar"), (2, "out.tar")):
        (case.sandbox(number) / name).write_text(f"{number}")
    case.end(1, "1")
    case.end(2, "11")
    for count in (2, 0):
        assert case.collect() == count
        assert case.files() == {"raw/000001.tar", "archives/000001.tar", "archives/out.tar"}
    assert [row[2] for row in case.outputs()] == ["present"] * 3


def test_outputs_in_a_folder_of_that_name_stay(tmp_path: Path) -> None:
    case = Case(tmp_path, is_flat=True)
    with contextlib.closing(case.ledger):
        case.plan(a=("archives/000001.tar",), b=("archives/b.txt",))
        for number, name in ((1, "000001.tar"), (2, "b.txt")):
            (case.sandbox(number) / "archives").mkdir()
            (case.sandbox(number) / "archives" / name).touch()
            case.end(number, "1")
        for count in (2, 0):
            assert case.collect() == count
            assert case.files() == {"archives/000001.tar", "archives/b.txt"}


def test_an_archive_of_ours_that_no_task_is_in_goes(case: Case) -> None:
    case.plan(a=("out",))
    archives = case.outdir / "archives"
    archives.mkdir(parents=True)
    for name in ("000001.tar", "000002.tar", "000003.tar", "mine.tar"):
        (archives / name).touch()
    case.ledger.own_files.enter([(f"archives/{name}", 0, "") for name in ("000001.tar", "000002.tar", "mine.tar")])
    case.ledger.set_collected([(1, "archives/000002.tar")])
    case.collect()
    assert case.files() == {"archives/000002.tar", "archives/000003.tar", "archives/mine.tar"}


@pytest.mark.parametrize("results", ["files", "archive"])
def test_no_task_has_the_folder_of_archives_where_there_are_some(tmp_path: Path, results: str) -> None:
    (tmp_path / "archives.txt").touch()
    swarm = swarm_of(tmp_path, inputs=["<id>.txt"], pack=True, results=results)
    if results == "files":
        assert make_plan(swarm, "/e").ids == ["archives"]
        return
    with pytest.raises(PlanError, match='archives: with results = "archive" that name is taken under outdir') as caught:
        make_plan(swarm, "/e")
    assert caught.value.task_ids == ("archives",)
