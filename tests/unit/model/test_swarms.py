"""Swarms as a whole: what they know of themselves."""

from __future__ import annotations

import json

import pytest

from locusts_fab.model.swarms import Counts, JobStatus, ManagerState, ManagerStatus, Status, SwarmState


@pytest.mark.parametrize("state", list(SwarmState))
def test_only_a_submitted_or_running_swarm_is_not_over(state: SwarmState) -> None:
    status = Status("pairs", "here", state, Counts(0, 0, 0, 0, 0), 0)
    assert status.is_over is (state.value not in {"submitted", "running"})


def test_ended_counts_done_and_failed() -> None:
    assert Counts(total=10, pending=4, running=3, done=2, failed=1).ended == 3


def test_the_words_that_scripts_rely_on() -> None:
    assert {state.value for state in SwarmState} == {
        "planned",
        "submitted",
        "running",
        "finished",
        "stalled",
        "cancelled",
    }


def test_a_status_is_json() -> None:
    status = Status(
        "pairs",
        "here",
        SwarmState.RUNNING,
        Counts(3, 1, 1, 1, 0),
        collected=1,
        managers=[ManagerStatus("1-0", "node", ManagerState.ALIVE, 2, 1, 0)],
        jobs=[JobStatus("12_0", "RUNNING", "None")],
        started=1.5,
    )
    shown = json.loads(json.dumps(status.to_dict()))
    assert {
        "swarm": "pairs",
        "target": "here",
        "state": "running",
        "tasks": {"total": 3, "pending": 1, "running": 1, "done": 1, "failed": 0},
        "collected": 1,
        "managers": [{"id": "1-0", "host": "node", "state": "alive", "slots": 2, "done": 1, "failed": 0}],
        "jobs": [{"id": "12_0", "state": "RUNNING", "reason": "None"}],
        "started": 1.5,
        "updated": None,
        "eta_s": None,
    }.items() <= shown.items()
