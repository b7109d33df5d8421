"""What an output that is a symlink is read from, where another machine writes to the environment."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.outcomes import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the host calls the environment.
THERE = "/scratch/me/s"


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    (tmp_path / "home/.ssh").mkdir(parents=True)
    (tmp_path / "home/.ssh/id").write_text("secret", encoding="utf-8")
    with contextlib.closing(made.ledger):
        yield made


def collect(case: Case, output: str) -> tuple[str, str, str | None]:
    """Collect the one output of the one task; return its status, the reason, and what came."""
    case.plan(a=(output,))
    case.end(1, "1")
    case.collect(homes=(THERE, case.environment.root))
    place = case.outdir / "a" / output
    what = place.read_text(encoding="utf-8") if place.is_file() else "/".join(p.name for p in place.rglob("*")) or None
    return case.outputs()[0][2], case.tasks()[0]["reason"], what if place.exists() else None


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("out", "HOME/.ssh/id"),
        ("out", "HOME/.ssh"),
        ("out", "../../../../home/.ssh/id"),
        ("out", f"{THERE}/../../home/.ssh/id"),
        ("out", f"{THERE}evil/x"),
        ("out", "ENVIRONMENT/../home/.ssh/id"),
        ("out", "other"),
        ("out", "/dev/zero"),
        ("out", "/"),
        ("sub", "HOME/.ssh"),
        ("sub", "../../../../home/.ssh"),
    ],
)
def test_a_link_that_leads_out_brings_nothing(case: Case, tmp_path: Path, link: str, text: str) -> None:
    text = text.replace("HOME", f"{tmp_path}/home").replace("ENVIRONMENT", case.environment.root)
    (case.sandbox(1) / "other").symlink_to(tmp_path / "home/.ssh/id")
    (case.sandbox(1) / link).symlink_to(text)
    status, reason, came = collect(case, "out" if link == "out" else "sub/id")
    assert (status, came) == ("error", None)
    assert "a link that leads out of the environment, to " in reason


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ("real", "mine"),
        ("../1/real", "mine"),
        ("over", "mine"),
        (f"{THERE}/work/000001.1/1/real", "mine"),
        (f"{THERE}/shared/x", "shared"),
        ("ENVIRONMENT/shared/x", "shared"),
        ("/local/scratch/17/000001.1/1/real", "mine"),
        ("folder", "y"),
        (f"{THERE}/work/000001.1/1/folder", "y"),
    ],
)
def test_a_link_that_stays_brings_what_it_means_there(case: Case, text: str, came: str) -> None:
    sandbox = case.sandbox(1)
    (sandbox / "real").write_text("mine", encoding="utf-8")
    (sandbox / "folder").mkdir()
    (sandbox / "folder/y").touch()
    (sandbox / "over").symlink_to("folder/../real")
    shared = Path(case.environment.absolute("shared"))
    shared.mkdir()
    (shared / "x").write_text("shared", encoding="utf-8")
    (sandbox / "out").symlink_to(text.replace("ENVIRONMENT", case.environment.root))
    assert collect(case, "out") == ("present", "", came)
    assert not (case.outdir / "a/out").is_symlink()


@pytest.mark.parametrize("text", ["nowhere", "out", "real/x", f"{THERE}/nowhere"])
def test_a_link_that_leads_nowhere(case: Case, text: str) -> None:
    (case.sandbox(1) / "real").touch()
    (case.sandbox(1) / "out").symlink_to(text)
    status, reason, came = collect(case, "out")
    assert (status, came) == ("error", None)
    assert "it is a link that leads nowhere" in reason


def test_a_log_that_is_a_link_is_not_brought(case: Case, tmp_path: Path) -> None:
    case.plan(a=())
    case.end(1, "", "failed", log="said", reason="exit 3")
    log = Path(case.environment.absolute(case.environment.log("000001.1", 11)))
    log.unlink()
    log.symlink_to(tmp_path / "home/.ssh/id")
    case.collect(homes=(THERE, case.environment.root))
    assert not (case.outdir / "logs/a.log").exists()
    assert "secret" not in case.results.tasks_table.read_text(encoding="utf-8")


def test_what_another_machine_can_still_write_is_copied(case: Case) -> None:
    (case.sandbox(1) / "out").write_text("then", encoding="utf-8")
    assert collect(case, "out") == ("present", "", "then")
    (case.sandbox(1) / "out").write_text("evil", encoding="utf-8")
    assert (case.outdir / "a/out").read_text(encoding="utf-8") == "then"


def test_results_are_not_written_through_a_link(case: Case, tmp_path: Path) -> None:
    """Nor is anything removed through one."""
    (case.sandbox(1) / "sub").mkdir()
    (case.sandbox(1) / "sub/id").write_text("evil", encoding="utf-8")
    (case.outdir / "a").mkdir(parents=True)
    (case.outdir / "a/sub").symlink_to(tmp_path / "home/.ssh")
    status, reason, _ = collect(case, "sub/id")
    assert (status, "in the way: " in reason) == ("error", True)
    assert (tmp_path / "home/.ssh/id").read_text(encoding="utf-8") == "secret"
