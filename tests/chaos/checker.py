"""The judge: reads files, and nothing else, and says what was lost, mixed up, counted twice or run too often.

It imports nothing of locusts_fab. What a swarm should have left is told by who made its tasks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.archives import Archives
from tests.chaos.files import PASSING, read_plan, read_records, read_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from tests.chaos.files import End, Planned

#: What may be broken, in the order of the summary.
KINDS = ("lost", "wrong", "twice", "executions", "processes", "jobs", "hang", "exit", "message", "left behind", "phase")
#: Files among the results that are no output of a task.
_TABLES = {"tasks.tsv", "outputs.tsv"}
_SHOWN = 4


class Fault(NamedTuple):
    """Something that is not as promised.

    :param kind: one of KINDS.
    """

    kind: str
    what: str


@dataclass(frozen=True)
class Case:
    """What a swarm should have left.

    :param outputs: for each task, the bytes of each file that it makes.
    :param ran: the folder in which each execution of a task adds a line to the task's own file.
    :param environment: on its target; it may be gone.
    :param most: so many executions at most, and one more for each failure that was taken back.
    :param damaged: claims whose archives were damaged on purpose.
    """

    outputs: dict[str, dict[str, bytes]]
    outdir: Path
    ran: Path
    environment: Path
    state: Path
    most: int
    damaged: Collection[str] = ()
    passing: tuple[str, ...] = field(default=PASSING)


def check(case: Case) -> list[Fault]:
    """Judge a swarm that has come to its end, all of it done and collected."""
    return [
        *check_results(case),
        *_check_tables(case),
        *_check_executions(case),
        *_check_target(case),
        *_check_left_behind(case),
    ]


def check_results(case: Case) -> Iterator[Fault]:
    """Judge what is among the results so far: each file whole, and its own task's."""
    known = {name: content for outputs in case.outputs.values() for name, content in outputs.items()}
    failed = {row["task"] for row in read_table(case.outdir / "tasks.tsv") if row["state"] == "failed"}
    bad = []
    for path in case.outdir.rglob("*") if case.outdir.exists() else ():
        if path.is_dir() or path.parent.name == "logs" or path.name in _TABLES or path.name.startswith("."):
            continue
        if path.name not in known:
            bad.append(f"{path.name} is nobody's")
        elif path.read_bytes() != known[path.name] and failed.isdisjoint(path.parts):
            bad.append(f"{path.name} holds {path.read_bytes()[:40]!r}")
    yield from _fault("wrong", bad)


def _check_tables(case: Case) -> Iterator[Fault]:
    tasks, outputs = read_table(case.outdir / "tasks.tsv"), read_table(case.outdir / "outputs.tsv")
    states = {row["task"]: row["state"] for row in tasks}
    yield from _fault(
        "lost", [f"task {name} is {states.get(name)}" for name in case.outputs if states.get(name) != "done"]
    )
    yield from _fault(
        "twice", [f"task {name}" for name, count in Counter(row["task"] for row in tasks).items() if count > 1]
    )
    yield from _fault("wrong", [f"task {name} is nobody's" for name in states if name not in case.outputs])
    rows = {(row["task"], row["output"]): row for row in outputs}
    yield from _fault("twice", [] if len(rows) == len(outputs) else ["rows of outputs.tsv"])
    missing, differing = [], []
    for task, files in case.outputs.items():
        for name, content in files.items():
            row = rows.get((task, name), {})
            path = case.outdir / (row.get("path") or "nowhere")
            if row.get("status") != "present" or not path.is_file():
                missing.append(f"{name} is {row.get('status')}")
            elif path.read_bytes() != content:
                differing.append(f"{name} holds {path.read_bytes()[:40]!r}")
    yield from _fault("lost", missing)
    yield from _fault("wrong", differing)


def executions(ran: Path) -> Counter[str]:
    """Count how often each task ran."""
    return Counter({path.name: path.read_bytes().count(b"\n") for path in ran.iterdir()})


def _check_executions(case: Case) -> Iterator[Fault]:
    counts = executions(case.ran)
    yield from _fault("lost", [f"task {name} never ran" for name in case.outputs if not counts[name]])
    yield from _fault("wrong", [f"task {name} ran here" for name in counts if name not in case.outputs])
    most = case.most + read_records(case.environment).suspects
    if counts.total() > most:
        often = [f"task {name} ran {count} times" for name, count in counts.most_common(_SHOWN) if count > 1]
        yield Fault("executions", f"{counts.total()}, at most {most} expected; {', '.join(often)}")


def _check_target(case: Case) -> Iterator[Fault]:
    """Judge plan, records and sandboxes, as far as the environment is there."""
    if not case.environment.exists():
        return
    plan, records = read_plan(case.environment), read_records(case.environment)
    starts = [process for processes in records.managers.values() for process in processes]
    yield from _fault("twice", [f"manager {name}" for name, found in records.managers.items() if len(found) > 1])
    yield from _fault("twice", [f"process {each}" for each, count in Counter(starts).items() if count > 1])
    done = Counter(end.task for end in set(records.ends) if end.state == "done")
    again = sum(done.values()) - len(done)
    if again > max(0, case.most - len(case.outputs)):
        yield Fault("twice", f"{again} tasks were recorded as done once more")
    yield from _fault("wrong", list(_wrong_on_target(case, plan, records.ends)))


def _wrong_on_target(case: Case, plan: dict[int, Planned], ends: list[End]) -> Iterator[str]:
    archives = Archives(case.environment)
    for end in ends:
        task = plan.get(end.task)
        if task is None or end.state != "done":
            continue
        if end.piece is not None:
            yield from _wrong_in_archive(case, task, end, archives)
            continue
        for name, flag in zip(task.outputs, end.found, strict=False):
            path = case.environment / end.sandbox / name
            content = case.outputs.get(task.id, {}).get(name)
            if flag == "1" and path.is_file() and path.read_bytes() != content:
                yield f"{end.sandbox}/{name} of task {task.id} holds {path.read_bytes()[:40]!r}"


def _wrong_in_archive(case: Case, task: Planned, end: End, archives: Archives) -> Iterator[str]:
    """Judge what a record says is packed: it is written after that, so it is there, and whole, whoever was killed."""
    members = archives.members(end)
    if members is None:
        if end.claim not in case.damaged:
            yield f"{end.archive} does not hold what is recorded of task {task.id}"
        return
    for name, flag in zip(task.outputs, end.found, strict=False):
        packed = members.get(f"{end.name}/{name}")
        if flag == "1" and packed != case.outputs.get(task.id, {}).get(name):
            yield f"{name} of task {task.id} in {end.archive} holds {packed and packed[:40]!r}"


def _check_left_behind(case: Case) -> Iterator[Fault]:
    found = [
        str(path.relative_to(base))
        for base in (case.state, case.outdir)
        for name in case.passing
        for path in base.rglob(name)
    ]
    yield from _fault("left behind", found)


def _fault(kind: str, what: list[str]) -> Iterator[Fault]:
    """Yield one fault for all that is wrong in one way, if anything is."""
    if what:
        more = f", and {len(what) - _SHOWN} more" if len(what) > _SHOWN else ""
        yield Fault(kind, ", ".join(what[:_SHOWN]) + more)
