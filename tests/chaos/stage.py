"""A few managers whose time and whose tasks somebody else has in hand: real bash, step by step.

No task ends before it is told how, and no time passes but when the test says so: managers read the clock from a file,
and where they would sleep they only say that they have nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.files import BEATS, CLAIM, CLAIMS, read_records
from tests.support.managers import ManualEnvironment, Running, in_session
from tests.support.processes import is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds, of the clock that the test has in hand.
BEAT_S, STALE_S = 10, 30
#: Real seconds until something that never comes ends the test.
PATIENCE_S = 60.0

#: What bash is told before it reads the manager. The clock's function cannot be defined again then.
_PRELUDE = """\
unset BASH_ENV
look_at_clock() {{
  builtin read -r UP <"{clock}"
  UP_CS=$((UP * 100))
}}
readonly -f look_at_clock
read() {{
  if [[ $1 == -r && $2 == -t ]]; then
    # without a timer: some bash misses one that is this short, and waits for ever
    builtin read -t 0 -u "$5" && builtin read -r -u "$5" "$6" || {{
      command sleep 0.02
      return 1
    }}
  else
    builtin read "$@"
  fi
}}
sleep() {{
  : >>"{idle}/$BASHPID.new"
  echo >>"{idle}/$BASHPID"
  command sleep 0.02
}}
"""

#: A task: says where it runs, and waits to be told how to end.
_TASK = """\
[[ -e "{gate}/open" ]] && exit 0
mkfifo "{gate}/$$.fifo"
echo "$PWD" >"{gate}/$$.new" && mv "{gate}/$$.new" "{gate}/$$.at"
builtin read -r word <"{gate}/$$.fifo"
[[ $word == "done" ]]
"""


@dataclass(frozen=True)
class Waiting:
    """A task that waits to be told how to end.

    :param claim: the lease under which it runs.
    """

    pid: int
    claim: str
    task: int


@dataclass(frozen=True)
class Lease:
    """A lease that was taken.

    :param task: the task that it is for; None: the whole chunk.
    """

    chunk: str
    generation: int
    manager: str
    slot: str
    task: int | None


@dataclass
class Actor:
    """A manager: what was done to it.

    :ivar gone: others may take it for dead, or know that it left.
    :ivar silent_since: when it was killed or stopped, by the clock of the stage.
    """

    running: Running
    gone: bool = False
    killed: bool = False
    stopped: bool = False
    silent_since: int | None = None
    leaving: bool = False
    dead_slots: set[int] = field(default_factory=set)

    @property
    def id(self) -> str:
        """Its name, as its files have it."""
        return self.running.id

    def is_running(self) -> bool:
        """Return whether its main process runs."""
        return self.running.process.poll() is None


class Stage:
    """An environment with a plan, and managers in it.

    :param folder: an empty one.
    :param chunks: how many tasks each chunk has.
    """

    def __init__(self, folder: Path, chunks: list[int], slots: int) -> None:
        self.gate, self.idle, self.clock = folder / "gate", folder / "idle", folder / "clock"
        for path in (self.gate, self.idle):
            path.mkdir()
        self.set_clock(1000)
        (folder / "prelude").write_text(_PRELUDE.format(clock=self.clock, idle=self.idle))
        self.env = ManualEnvironment(
            folder, slots=slots, beat_s=BEAT_S, stale_s=STALE_S, grace_s=2 * BEAT_S, scheduler="detached"
        )
        self.prelude = {"BASH_ENV": str(folder / "prelude")}
        self.env.plan(*([_TASK.format(gate=self.gate)] * size for size in chunks))
        numbers = iter(range(1, sum(chunks) + 1))
        self.chunks = {f"{at:06d}": [next(numbers) for _ in range(size)] for at, size in enumerate(chunks, 1)}
        self.actors: list[Actor] = []

    def close(self) -> None:
        """End whatever is left."""
        for actor in self.actors:
            actor.running.kill()

    def wait(self, is_so: Callable[[], object], what: str) -> None:
        """Wait for something that is sure to come, and tell how all stand if it does not."""
        try:
            wait_until(is_so, what, PATIENCE_S)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.describe()])) from error

    def describe(self) -> Iterator[str]:
        """Tell how all stand, for whoever has to find out why something never came."""
        yield f"clock {self.clock.read_text().strip()}, waiting {self.waiting()}, finished {self.finished()}"
        for actor in self.actors:
            state = f"stopped {actor.stopped}, leaving {actor.leaving}, runs {actor.is_running()}"
            yield f"{actor.id}: beat {self.beat_of(actor)}, {state}"
            for pid in in_session(actor.running.pid):
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    yield f"  {pid} {Path(f'/proc/{pid}/stat').read_text().split()[2:4]} {line[:60]!r}"
            yield actor.running.env.complaints(actor.id)[-300:]

    # ---- what can be seen ----

    def waiting(self) -> list[Waiting]:
        """List the tasks that wait, in the order in which they can be told apart."""
        found = []
        for path in self.gate.glob("*.at"):
            pid = int(path.stem)
            if is_alive(pid):
                *_, claim, task = path.read_text().strip().split("/")
                found.append(Waiting(pid, claim, int(task)))
        return sorted(found, key=lambda each: (each.task, each.claim))

    def leases(self) -> list[Lease]:
        """List the leases, oldest first in each chunk."""
        found = []
        for path in (self.env.root / CLAIMS).iterdir():
            if name := CLAIM.fullmatch(path.name):
                manager, slot, *task = path.read_text().split()
                found.append(
                    Lease(name["chunk"], int(name["generation"]), manager, slot, int(task[0]) if task else None)
                )
        return sorted(found, key=lambda each: (each.chunk, each.generation))

    def finished(self) -> set[str]:
        """List the chunks that are marked as having nothing left to do."""
        return {path.name.partition(".")[0] for path in (self.env.root / CLAIMS).glob("*.end")}

    def ended(self) -> dict[int, str]:
        """Tell how each task has ended, by the whole records."""
        found: dict[int, str] = {}
        for end in read_records(self.env.root).ends:
            if end.state in {"done", "failed"} and found.get(end.task) != "done":
                found[end.task] = end.state
        return found

    def begun(self) -> list[tuple[str, int]]:
        """List claim and task of each attempt that began."""
        return read_records(self.env.root).begun

    def living(self) -> list[Actor]:
        """List the managers that run and are not stopped."""
        return [actor for actor in self.actors if actor.is_running() and not actor.stopped]

    # ---- what can be done ----

    def start(self) -> Actor:
        """Start a manager."""
        running = self.env.start(f"1-{len(self.actors)}", env=self.prelude)
        actor = Actor(running)
        self.actors.append(actor)
        self.wait(lambda: self.has_begun(actor) or not actor.is_running(), "its slots")
        self.settle()
        return actor

    def has_begun(self, actor: Actor) -> bool:
        """Return whether all slots of a manager have begun."""
        owners = list((self.env.root / CLAIMS).glob(f"owner.{actor.id}-*"))
        return len(owners) >= int(self.env.values["slots"])

    def beat_of(self, actor: Actor) -> int:
        """Read the heartbeat of a manager."""
        for path in (self.env.root / BEATS).glob(f"{actor.id}*"):
            if path.suffix == "" and path.read_text().split():
                return int(path.read_text().split()[0])
        return 0

    def slots_of(self, actor: Actor) -> list[int]:
        """List the processes of the slots of a manager."""
        return [child for child in _children(actor.running.pid) if is_alive(child) and _name(child).startswith("bash")]

    def tell(self, task: Waiting, word: str) -> None:
        """Let a task end, and wait until everybody has come to rest again."""
        with (self.gate / f"{task.pid}.fifo").open("w") as file:
            file.write(f"{word}\n")
        self.wait(lambda: not is_alive(task.pid), "the end of a task")
        self.settle()

    @property
    def now(self) -> int:
        """What the clock says."""
        return int(self.clock.read_text())

    def set_clock(self, seconds: int) -> None:
        """Set the clock; nobody sees it half written."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.replace(self.clock)

    def pass_time(self, seconds: int) -> None:
        """Let time pass, a heartbeat after another: whoever lives shows that."""
        for _ in range(0, seconds, BEAT_S):
            before = {actor.id: self.beat_of(actor) for actor in self.living()}
            self.set_clock(self.now + BEAT_S)
            self.wait(partial(self.have_shown, before), "heartbeats")
            self.settle()

    def have_shown(self, before: dict[str, int]) -> bool:
        """Return whether all managers have beaten since then, or left."""
        return all(self.beat_of(actor) > before.get(actor.id, 0) or not actor.is_running() for actor in self.living())

    def settle(self) -> None:
        """Wait until every slot has a task that waits, or has looked around and found nothing to do."""
        idle = {path.name: path.stat().st_size for path in self.idle.iterdir() if path.suffix != ".new"}

        def is_at_rest(slot: int) -> bool:
            tasks = {pid for pid in _children(slot) if (self.gate / f"{pid}.at").exists()}
            path = self.idle / str(slot)
            return bool(tasks) or (path.exists() and path.stat().st_size >= idle.get(str(slot), 0) + 3)

        def are_at_rest() -> bool:
            return all(
                is_at_rest(slot) or not is_alive(slot) for actor in self.living() for slot in self.slots_of(actor)
            )

        self.wait(lambda: are_at_rest() and are_at_rest(), "everybody to come to rest")

    def signal(self, actor: Actor, number: signal.Signals) -> None:
        """Send a signal to all processes of a manager."""
        actor.running.send_all(number)

    def kill(self, actor: Actor, torn: bytes) -> None:
        """Kill a manager with all that it runs, amid writing a record.

        :param torn: what it had written of it.
        """
        actor.running.kill()
        if torn:
            for path in (self.env.root / "exec/cache").glob(f"{actor.id}*.tsv"):
                with path.open("ab") as file:
                    file.write(torn)
        self.settle()

    def kill_slot(self, slot: int) -> None:
        """Kill one slot; its task, which has a process group of its own, is left to who looks after it."""
        os.kill(slot, signal.SIGKILL)
        self.wait(lambda: not is_alive(slot), "the end of a slot")
        self.settle()

    def finish(self) -> None:
        """Let all go on, and start managers as long as something is left: each submit may be followed by another.

        One that finds another at work leaves the rest to it, though that may have been told to leave; so one more
        does not always do.
        """
        (self.gate / "open").touch()
        for actor in self.actors:
            if actor.stopped:
                actor.stopped = False
                self.signal(actor, signal.SIGCONT)

        def is_over() -> bool:
            self.set_clock(self.now + 1)
            for task in self.waiting():
                with contextlib.suppress(OSError):  # it may not listen yet
                    descriptor = os.open(self.gate / f"{task.pid}.fifo", os.O_WRONLY | os.O_NONBLOCK)
                    os.write(descriptor, b"done\n")
                    os.close(descriptor)
            return not any(actor.is_running() for actor in self.actors)

        for _ in range(4):
            self.wait(is_over, "the end of all managers")
            if len(self.finished()) == len(self.chunks):
                return
            self.start()
        self.wait(is_over, "the end of all managers")


def _children(pid: int) -> list[int]:
    """List the child processes of a process."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    return []


def _name(pid: int) -> str:
    """Return the name of a process; nothing if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
