"""A model of claims, leases, generations and records beside the real bash: whatever happens, in whatever order.

Managers run for real, but their time and the ends of their tasks are in the hands of the machine below (see stage.py).
After each step it looks at what stands in the environment, and compares that with what the model says may be.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.chaos.stage import BEAT_S, STALE_S, Actor, Lease, Stage, Waiting

#: A chunk is dealt out task by task from this generation on.
DEALT_FROM = 4
#: Losses after which a task is given up.
MOST_LOSSES = 3
#: Who was seen to live is believed to for so long.
FRESH_S = 4 * BEAT_S
#: Managers at a time.
MOST_MANAGERS = 3
pick = st.integers(0, 10**6)


class Leases(RuleBasedStateMachine):
    """Managers that come, work, die, leave, stand still and go on; and what must always be so.

    :ivar ended: how each task has ended, by whole records, as of the last step.
    :ivar leases: the leases that there were then.
    :ivar ends_before: for each lease, the tasks that had ended before it was taken.
    :ivar looked: when that step ended, by the clock of the stage.
    :ivar left: the managers that had left then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.stage: Stage | None = None
        self.ended: dict[int, str] = {}
        self.leases: dict[tuple[str, int], Lease] = {}
        self.ends_before: dict[tuple[str, int], set[int]] = {}
        self.looked = 0
        self.left: set[str] = set()
        self.deaths = 0
        self.told_to_fail: set[int] = set()

    @initialize(chunks=st.lists(st.integers(1, 4), min_size=1, max_size=4), slots=st.integers(1, 2))
    def prepare(self, chunks: list[int], slots: int) -> None:
        """Write a plan, and start a manager."""
        self.stage = Stage(self.folder, chunks, slots)
        self.slots = slots
        self.stage.start()

    # ---- what happens ----

    @rule()
    def one_comes(self) -> None:
        """Start a manager, early or late."""
        if len(self.at.living()) < MOST_MANAGERS:
            self.at.start()

    @rule(which=pick, word=st.sampled_from(["done", "done", "done", "failed"]))
    def a_task_ends(self, which: int, word: str) -> None:
        """Let a task end."""
        waiting = [each for each in self.at.waiting() if not self.is_stopped(each)]
        if waiting:
            task = waiting[which % len(waiting)]
            if word == "failed":
                self.told_to_fail.add(task.task)
            self.at.tell(task, word)

    @rule(which=pick, cut=st.integers(0, 100), is_marked=st.booleans())
    def one_dies(self, which: int, cut: int, *, is_marked: bool) -> None:
        """Kill a manager with all that it runs, amid writing the end of a task; the client may see that."""
        actor = self.choose(which)
        if actor is None:
            return
        tasks = [each for each in self.at.waiting() if self.owner(each.claim) == actor]
        line = f"ended\t{tasks[0].claim}\t{tasks[0].task}\t1\tdone\t0\t1.0\t2.0\t\t0\t\t.\n" if tasks else ""
        self.deaths += 1
        actor.gone = actor.killed = True
        actor.silent_since = self.at.now
        self.at.kill(actor, line.encode()[: max(0, min(cut, len(line) - 1))])
        if is_marked:
            actor.running.mark_gone()

    @rule(which=pick, slot=pick)
    def a_slot_dies(self, which: int, slot: int) -> None:
        """Kill one slot of a manager."""
        actor = self.choose(which)
        if actor is None:
            return
        if slots := self.at.slots_of(actor):
            self.deaths += 1
            actor.dead_slots.add(slots[slot % len(slots)])
            self.at.kill_slot(slots[slot % len(slots)])

    @rule(which=pick, number=st.sampled_from([signal.SIGTERM, signal.SIGUSR1]))
    def one_is_told_to_leave(self, which: int, number: signal.Signals) -> None:
        """Tell a manager that it must go; what it runs may end, as long as time allows."""
        actor = self.choose(which)
        if actor is None:
            return
        self.deaths += 1
        actor.leaving = actor.gone = True
        actor.running.send(number)
        self.at.settle()

    @rule(which=pick)
    def one_stands_still(self, which: int) -> None:
        """Stop a manager with all that it runs."""
        actor = self.choose(which)
        if actor is None:
            return
        self.deaths += 1
        actor.stopped = True
        actor.silent_since = self.at.now
        self.at.signal(actor, signal.SIGSTOP)

    @rule()
    def all_go_on(self) -> None:
        """Let whoever stood still go on."""
        for actor in self.at.actors:
            if actor.stopped:
                actor.stopped = False
                actor.silent_since = None
                self.at.signal(actor, signal.SIGCONT)
        self.at.settle()

    @rule(beats=st.integers(1, 2 + STALE_S // BEAT_S))
    def time_passes(self, beats: int) -> None:
        """Let time pass; whoever stands still meanwhile may be taken for dead."""
        for actor in self.at.actors:
            actor.gone |= actor.stopped
        self.at.pass_time(beats * BEAT_S)

    # ---- what must be so ----

    @invariant()
    def records_are_only_added(self) -> None:
        """Check that what has ended stays so."""
        if self.stage:
            now = self.at.ended()
            lost = {task: state for task, state in self.ended.items() if task not in now}
            assert not lost, f"ended, and then not: {lost}"

    @invariant()
    def a_generation_has_one_owner(self) -> None:
        """Check that a lease stays with who took it; the next is taken from who is dead, left, or was silent."""
        if not self.stage:
            return
        before = set(self.ended)
        for lease in self.at.leases():
            key = (lease.chunk, lease.generation)
            assert self.leases.get(key, lease) == lease, f"{lease} was {self.leases[key]}"
            if key in self.leases:
                continue
            self.ends_before[key] = before
            earlier = self.leases.get((lease.chunk, lease.generation - 1)) or self.find(
                lease.chunk, lease.generation - 1
            )
            if lease.generation > 1 and lease.task is None:
                assert self.is_gone(earlier), f"{lease} was taken from {earlier}, who is there"
            self.leases[key] = lease

    @invariant()
    def what_has_ended_is_not_dealt_out_again(self) -> None:
        """Check that a task runs only if it had not ended when its chunk was taken, and once at a time."""
        if not self.stage:
            return
        for claim, task in self.at.begun():
            chunk, generation, *_ = claim.split(".")
            assert task not in self.ends_before.get((chunk, int(generation)), set()), f"{task} had ended before {claim}"
        owners: dict[int, list[str]] = {}
        for waiting in self.at.waiting():
            chunk, generation, *_ = waiting.claim.split(".")
            assert waiting.task in self.at.chunks[chunk]
            lease = self.find(chunk, int(generation))
            if not self.is_gone(lease):
                owners.setdefault(waiting.task, []).append(waiting.claim)
        assert all(len(claims) == 1 for claims in owners.values()), owners

    @invariant()
    def a_finished_chunk_has_nothing_left(self) -> None:
        """Check that no chunk is marked as finished that has tasks left."""
        if self.stage:
            self.ended = self.at.ended()
            for chunk in self.at.finished():
                left = [task for task in self.at.chunks[chunk] if task not in self.ended]
                assert not left, f"chunk {chunk} is finished, but {left} have not ended"

    @invariant()
    def who_leaves_leaves_the_rest_to_who_is_there(self) -> None:
        """Check that nobody leaves for want of work while something is held by one who has been silent for long."""
        if not self.stage:
            return
        for actor in self.at.actors:
            if actor.is_running() or actor.id in self.left:
                continue
            self.left.add(actor.id)
            if self.at.env.left(actor.id) == "finished" and not actor.leaving:
                for lease in self.held():
                    holder = next((each for each in self.at.actors if lease.manager.startswith(each.id)), None)
                    since = self.looked if holder is None or holder.silent_since is None else holder.silent_since
                    assert self.looked - since <= FRESH_S, f"{actor.id} left {lease}, whose holder is silent"
        self.looked = self.at.now

    def held(self) -> list[Lease]:
        """List the newest lease of each chunk that is not finished; of one that is dealt out, of each task left."""
        newest = {
            (lease.chunk, lease.task): lease for lease in self.at.leases() if lease.chunk not in self.at.finished()
        }
        dealt = {chunk for chunk, task in newest if task is not None}
        ended = self.at.ended()
        return [
            lease
            for (chunk, task), lease in newest.items()
            if task not in ended and (task is not None or chunk not in dealt)
        ]

    # ---- the end ----

    def teardown(self) -> None:
        """Check that all tasks end, each as it was told, and that none ran more often than deaths explain."""
        try:
            if self.stage:
                self.at.finish()
                tasks = [task for chunk in self.at.chunks.values() for task in chunk]
                self.a_generation_has_one_owner()
                self.what_has_ended_is_not_dealt_out_again()
                ended, begun = self.at.ended(), Counter(task for _, task in self.at.begun())
                assert sorted(ended) == tasks
                assert self.at.finished() == set(self.at.chunks)
                failed = {task for task, state in ended.items() if state == "failed"}
                for task in failed - self.told_to_fail:
                    assert begun[task] >= MOST_LOSSES, f"task {task} was given up"
                assert begun.total() <= len(tasks) + self.deaths * self.slots + len(self.told_to_fail)
        finally:
            if self.stage:
                self.at.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- words ----

    @property
    def at(self) -> Stage:
        """The stage, which is there."""
        assert self.stage
        return self.stage

    def choose(self, which: int) -> Actor | None:
        """Choose one of the managers that run and are not stopped, if there is one."""
        living = self.at.living()
        return living[which % len(living)] if living else None

    def find(self, chunk: str, generation: int) -> Lease | None:
        """Find a lease."""
        return next((each for each in self.at.leases() if (each.chunk, each.generation) == (chunk, generation)), None)

    def owner(self, claim: str) -> Actor | None:
        """Find the manager that holds a lease."""
        chunk, generation, *_ = claim.split(".")
        lease = self.find(chunk, int(generation))
        return next((actor for actor in self.at.actors if lease and lease.manager.startswith(actor.id)), None)

    def is_gone(self, lease: Lease | None) -> bool:
        """Return whether others may take over a lease, as the model has it."""
        actor = next((each for each in self.at.actors if lease and lease.manager.startswith(each.id)), None)
        return actor is None or actor.gone or bool(actor.dead_slots) or not actor.is_running()

    def is_stopped(self, task: Waiting) -> bool:
        """Return whether the manager that runs a task is stopped."""
        owner = self.owner(task.claim)
        return owner is not None and owner.stopped


TestLeases = Leases.TestCase
TestLeases.settings = settings(
    max_examples=int(os.environ.get("LOCUSTS_MODEL_EXAMPLES", "8")),
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],  # to make a failure smaller takes longer than to read it
)
pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")
