"""How a slot judges the heartbeats of others: who was seen to live may die, also while it runs a task of its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.shell.scripts import templates_folder
from tests.chaos.stage import STALE_S, Stage
from tests.support.managers import BASH, ENVIRONMENT_ID, full_id

if TYPE_CHECKING:
    from pathlib import Path

#: Of a manager that is looked at from time to time: the time, its heartbeat then (empty: it cannot be read), and what
#: is to be said of it. It beats every 10 seconds, and is gone after 300.
LOOKS = {
    "lives": [(5, "1", "unsure"), (15, "2", "alive"), (25, "3", "alive"), (999, "90", "unsure"), (1009, "91", "alive")],
    "was gone when first seen": [(5, "7", "unsure"), (299, "7", "unsure"), (304, "7", "unsure"), (305, "7", "gone")],
    "dies while it is watched": [
        *((5, "1", "unsure"), (15, "2", "alive"), (15, "2", "alive"), (45, "2", "alive")),
        *((46, "2", "unsure"), (314, "2", "unsure"), (315, "2", "gone"), (9999, "2", "gone")),
    ],
    "dies while nobody looks": [
        *((5, "1", "unsure"), (3600, "8", "unsure"), (3610, "8", "unsure"), (3899, "8", "unsure"), (3900, "8", "gone")),
    ],
    "wakes up": [(5, "1", "unsure"), (305, "1", "gone"), (315, "2", "alive"), (614, "2", "unsure"), (615, "2", "gone")],
    "cannot be read": [(5, "", "unsure"), (15, "", "unsure"), (304, "", "unsure"), (305, "", "gone")],
    "cannot be read for a moment": [
        *((5, "1", "unsure"), (15, "2", "alive"), (25, "", "alive"), (35, "2", "alive"), (46, "2", "unsure")),
        *((300, "", "unsure"), (315, "2", "gone")),
    ],
}


@pytest.mark.parametrize("looks", LOOKS.values(), ids=LOOKS)
def test_what_a_heartbeat_says(tmp_path: Path, looks: list[tuple[int, str, str]]) -> None:
    """Who was seen to live once may die; and that he lived when nobody looked says nothing of now."""
    (tmp_path / "exec/beats").mkdir(parents=True)
    script = (
        f"{(templates_folder() / 'manager/claims.sh').read_text()}\n"
        "look_at_clock() { UP=$1; }\n"
        "ROOT=$1 MANAGER=1-1-x HOLDER=1-0-x HOLDER_SLOT=0.0 BEAT_S=10 STALE_S=300\nshift\n"
        'while (($# > 0)); do\n  rm -f -- "$ROOT/exec/beats/1-0-x"\n'
        '  [[ -z $2 ]] || echo "$2 0 0" >"$ROOT/exec/beats/1-0-x"\n'
        '  eval "look_at_clock() { UP=$1; }"\n  judge_holder\n  echo "$VERDICT"\n  shift 2\ndone\n'
    )
    words = [word for second, beats, _ in looks for word in (str(second), beats)]
    command = [BASH, "-uc", script, "bash", str(tmp_path), *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    assert (said.stdout.split(), said.stderr) == ([verdict for *_, verdict in looks], "")


@pytest.mark.parametrize("generation", [1, 4], ids=["whole", "dealt out"])
def test_who_dies_while_others_are_busy_is_found_out(tmp_path: Path, generation: int) -> None:
    """They looked at it when it lived, and look again after a task of theirs: that it lived meanwhile is not enough."""
    stage = Stage(tmp_path, [1, 1], slots=1)
    try:
        claims = stage.env.root / "exec/claims"
        for earlier in range(1, generation):
            (claims / f"000001.{earlier}.{ENVIRONMENT_ID}").write_text(f"1-9-{ENVIRONMENT_ID} 0.0\n")
        (stage.env.root / f"exec/beats/1-9-{ENVIRONMENT_ID}.end").touch()
        managers = [stage.start() for _ in range(3)]
        holders = {lease.chunk: lease.manager for lease in stage.leases()}
        holder, other = (next(each for each in managers if full_id(each.id) == holders[f"{at:06d}"]) for at in (1, 2))
        (watcher,) = (each for each in managers if each is not holder and each is not other)
        stage.kill(other, b"")
        other.running.mark_gone()
        stage.pass_time(20)
        stage.wait(lambda: len(stage.waiting()) == 2, "the watcher, which takes what the other one held")
        (busy,) = [task for task in stage.waiting() if task.task == 2]
        stage.pass_time(100)
        stage.kill(holder, b"")
        stage.tell(busy, "done")
        assert watcher.is_running(), "it left, though nobody is at the first chunk"
        stage.pass_time(STALE_S + 20)
        stage.wait(stage.waiting, "the watcher, which takes what the dead one held")
        assert [task.claim for task in stage.waiting()] == [f"000001.{generation + 1}.{ENVIRONMENT_ID}"]
    finally:
        stage.close()
