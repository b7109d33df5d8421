"""The poll: what is new on the target, all of it or nothing, whatever state the managers left things in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locusts_fab.errors import HostError
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.layout import Environment
from locusts_fab.model.swarms import ManagerState
from locusts_fab.state import poll as module
from locusts_fab.state.poll import PollResult, poll
from tests.support.environments import ID, OTHER_ID, reserved
from tests.support.forged import Liar, encoded, texts
from tests.support.polls import ELSEWHERE, SLURM, began, ended, look, manager, state_of, states, write

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.state.ledger import Ledger


pytestmark = pytest.mark.usefixtures("_clock")


# ---------------------------------------------------------------------------------------------------------------------
# Records


def test_no_environment(tmp_path: Path, ledger: Ledger) -> None:
    assert poll(LocalHost(), ledger, Environment(str(tmp_path / "nowhere")), SLURM) == PollResult(reached=False)
    assert ledger.fact("updated") is None


def test_no_manager_yet(root: Path, ledger: Ledger) -> None:
    assert look(ledger, root) == 0
    assert ledger.managers() == []
    assert ledger.fact("updated") is not None


def test_each_poll_brings_what_is_new(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1))
    assert look(ledger, root) == 2
    assert states(ledger) == "rpppppppp"
    assert look(ledger, root) == 0
    write(root, ended(1), began(2), ended(2, "failed"))
    write(root, manager(name="1-1"), began(3), name="1-1")
    assert look(ledger, root) == 5
    assert states(ledger) == "dfrpppppp"
    (first, second) = ledger.managers()
    assert (first.host, first.slots, first.done, first.failed) == (ELSEWHERE, 2, 1, 1)
    assert (second.id, second.done) == (f"1-1-{ID}", 0)


@pytest.mark.parametrize("cut", range(0, len(ended(1)), 7))
def test_a_record_that_is_half_written_comes_with_the_next_poll(root: Path, ledger: Ledger, cut: int) -> None:
    write(root, manager(), began(1), ended(1)[:cut])
    assert look(ledger, root) == 2
    assert states(ledger)[0] == "r"
    write(root, ended(1)[cut:])
    assert look(ledger, root) == 1
    assert states(ledger)[0] == "d"


def test_any_bytes_may_stand_in_a_cache_file(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1))
    with (root / f"exec/cache/1-0-{ID}.tsv").open("ab") as file:
        file.write(b"\0\xff\n--locusts-end-- 0\n\n\n==locusts-0000==\n\r\n" + bytes(range(256)) + b"\n")
    write(root, ended(1))
    look(ledger, root)
    assert states(ledger)[0] == "d"
    assert look(ledger, root) == 0


def test_what_is_too_much_for_one_look_comes_in_several(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 150)
    write(root, manager(), *[line for task in range(1, 10) for line in (began(task), ended(task))])
    (root / f"exec/beats/1-0-{ID}.end").touch()
    assert look(ledger, root) == 19
    assert states(ledger) == "d" * 9
    assert state_of(ledger) is ManagerState.LEFT


def test_a_file_without_a_line_end_is_no_endless_work(
    root: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of a file system may leave a hole of zeros, longer than what one look brings."""
    monkeypatch.setattr(module, "MOST_BYTES", 64)
    write(root, manager(), "\0" * 500)

    class Counting(LocalHost):
        looks = 0

        def run(self, script: str, *args: str, **limits: Any) -> Result:
            self.looks += 1
            assert self.looks < 50, "the poll goes on for ever"
            return super().run(script, *args, **limits)

    poll(Counting(), ledger, Environment(str(root), ID), SLURM)


def test_files_that_are_not_ours_are_passed_over(root: Path, ledger: Ledger) -> None:
    write(root, manager(), ended(1))
    for name in (
        f"copy of 1-0-{ID}.tsv",
        "notes.tsv",
        "$(touch x).tsv",
        f"1-0-{ID}.tsv.bak",
        "-rf.tsv",
        "1-0.tsv",
        f"1-0-{OTHER_ID}.tsv",
    ):
        (root / "exec/cache" / name).write_text(ended(2), encoding="utf-8")
    look(ledger, root)
    assert states(ledger)[:2] == "dp"
    assert [status.id for status in ledger.managers()] == [f"1-0-{ID}"]


# ---------------------------------------------------------------------------------------------------------------------
# All or nothing


class Broken(LocalHost):
    """A machine whose answers are spoilt on the way."""

    def __init__(self, status: int, most: int) -> None:
        self.status, self.most = status, most

    def run(self, script: str, *args: str, **limits: Any) -> Result:
        """See `Host.run`."""
        result = super().run(script, *args, **limits)
        return Result(self.status, result.stdout[: self.most], "disk on fire")


@pytest.mark.parametrize("host", [Broken(1, 10**9), Broken(0, 0), Broken(0, 10), Broken(127, 0)])
def test_an_answer_that_is_no_answer_changes_nothing(root: Path, ledger: Ledger, host: Broken) -> None:
    write(root, manager(), began(1), ended(1))
    before = ledger.offsets(), list(ledger.outcomes())
    with pytest.raises(HostError, match="could not be read") as caught:
        poll(host, ledger, Environment(str(root), ID), SLURM)
    assert caught.value.stderr == "disk on fire"
    assert (ledger.offsets(), list(ledger.outcomes())) == before
    assert look(ledger, root) == 3


# ---------------------------------------------------------------------------------------------------------------------
# Whose it is


def test_nothing_is_taken_from_an_environment_that_is_not_ours(root: Path, ledger: Ledger) -> None:
    write(root, manager(), began(1), ended(1))
    for known in ("", OTHER_ID):
        result = poll(LocalHost(), ledger, Environment(str(root), known), SLURM)
        assert (result.is_ours, [founder.id for founder in result.founders]) == (False, [ID])
    assert (states(ledger)[0], ledger.managers(), ledger.fact("updated")) == ("p", [], None)


def test_nothing_is_taken_of_submissions_that_are_not_ours(root: Path, ledger: Ledger) -> None:
    """Nor of one that has the number of ours, and another token."""
    reserved(Environment(str(root)), 2, "somebody-elses")
    write(root, manager(name="2-0"), ended(1), name="2-0")
    look(ledger, root)
    assert (states(ledger)[0], ledger.managers(), ledger.fact("strangers")) == ("p", [], "2")
    (root / "exec/started.1/token").write_text("somebody-elses\n")
    write(root, manager(), ended(2))
    look(ledger, root)
    assert (states(ledger)[:2], ledger.fact("strangers")) == ("pp", "1 2")


@pytest.mark.parametrize(
    ("state", "becomes"), [("staging", "staging"), ("starting", "told"), ("started", "told"), ("stopped", "stopped")]
)
def test_a_submission_that_was_told_to_stop_is_not_taken_for_one_that_goes_on(
    root: Path, ledger: Ledger, state: str, becomes: str
) -> None:
    """Whoever told it may have been killed before the ledger knew."""
    ledger.set_submission(1, state=state)
    (root / "exec/stop.7").touch()
    look(ledger, root)
    assert [submission.state for submission in ledger.submissions()] == [state]
    (root / "exec/stop.1").touch()
    look(ledger, root)
    assert [submission.state for submission in ledger.submissions()] == [becomes]


def test_records_of_another_environment_are_none(root: Path, ledger: Ledger) -> None:
    write(root, manager(), ended(1).replace(ID, OTHER_ID))
    look(ledger, root)
    assert states(ledger)[0] == "p"


# ---------------------------------------------------------------------------------------------------------------------
# Lies


def told(ledger: Ledger, *parts: str) -> PollResult:
    """Poll a host that says that, part by part."""

    def answer(args: tuple[str, ...]) -> bytes:
        return encoded(f"{args[3]}\n".join(parts))

    return poll(Liar(answer), ledger, Environment("/e", ID), SLURM)


@pytest.mark.parametrize("status", ["256", "9" * 4301, "-1", "1_0", " 1", "", "٣", "²", "inf"])
def test_an_exit_status_of_the_scheduler_that_is_none(ledger: Ledger, status: str) -> None:
    with pytest.raises(HostError, match=r"^cluster: what came as the exit status of asking for jobs is none"):
        told(ledger, "most 1000000\n", f"1-0-{ID} alive 1\n{manager()}{began(1)}\n", f"{status}\n\n")
    assert states(ledger) == "ppppppppp"
    assert ledger.fact("updated") is None


@pytest.mark.parametrize("most", ["0", "000", "-1", "1" * 5000, "\u0663", ""])
def test_a_part_of_no_bytes_does_not_make_us_look_for_ever(ledger: Ledger, most: str) -> None:
    with pytest.raises(HostError, match="the state of the swarm could not be read"):
        told(ledger, f"most {most}\n", f"1-0-{ID} alive 1\n\n", "-\n\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=st.lists(texts, min_size=5, max_size=5))
def test_any_text_where_a_number_belongs(ledger: Ledger, numbers: list[str]) -> None:
    stranger, submission, element, beat, status = numbers
    head = f"{submission}-{element}-{ID} unknown {beat}"
    parts = [
        f"most 1000000\nmost {stranger}\n{stranger}\ntold {stranger}\n",
        f"{head}\n{manager()}{began(1)}\n",
        f"{status}\n12_{stranger}|||RUNNING||\n",
    ]
    with contextlib.suppress(HostError):
        told(ledger, *parts)
    assert states(ledger)[1:] == "pppppppp"
