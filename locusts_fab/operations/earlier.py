"""Inputs that are results of other swarms: what there is of them, by the ledgers of those swarms."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import entries_of
from locusts_fab.bounds.entries import Entry
from locusts_fab.bounds.numbers import whole_or_none
from locusts_fab.errors import PlanError, StateError, TransferError
from locusts_fab.hosts.patience import LONG_S
from locusts_fab.layout import Environment, input_place, named_swarm
from locusts_fab.model.findings import Packed
from locusts_fab.model.tasks import TaskState
from locusts_fab.operations.session import ledger_in, results_of
from locusts_fab.plan.inputs import Earlier, Origin
from locusts_fab.plan.tasks import Plan, make_plan
from locusts_fab.results.outdir import where_it_lies
from locusts_fab.results.unarchive import UNARCHIVED, unarchive
from locusts_fab.shell.scripts import remote_script
from locusts_fab.text import counted, first_few, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from typing_extensions import Self

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Memory, PlannedTask
    from locusts_fab.state.ledger import Ledger
    from locusts_fab.target import Site

_SHOWN = 5
# $1 the environment, $3 a folder in it
_FORGET = 'cd -- "$1" && rm -rf -- "$3"'
#: In the environment, the list of results that are taken there; see templates/remote/link_inputs.sh.
_LIST = "exec/links"
#: The same of pieces of archives that hold some, and the folder in which these are unpacked meanwhile.
_PIECES, _UNPACKED = "exec/pieces", "exec/unpacked"
_NOT_YET = "it is not collected"
_LEFT_THERE = 'collect = "final" leaves it on the target'


def plan_of(swarm: Swarm, environment_dir: str, memory: Memory | None = None) -> Plan:
    """Return the tasks that the config means; see `make_plan`.

    :raises PlanError: the inputs do not give a set of tasks that can be run.
    :raises StateError: the local state of a swarm whose results are inputs is damaged.
    """
    return make_plan(swarm, environment_dir, memory, read_earlier(swarm))


def read_earlier(swarm: Swarm) -> dict[str, Earlier]:
    """Return what there is of the swarms whose results are inputs of this one, by name.

    :raises PlanError: one of them was never run.
    :raises StateError: its local state is damaged.
    """
    named = dict.fromkeys(filter(None, map(named_swarm, swarm.settings.inputs)))
    return {name: _read(swarm.before[name]) for name in named}


def _read(swarm: Swarm) -> Earlier:
    """Return the outputs of the done tasks of a swarm, as its ledger knows them."""
    if not (swarm.state_dir / "ledger.sqlite").exists():
        raise _never_run(swarm)
    outputs: dict[str, Origin] = {}
    with ledger_in(swarm.state_dir) as ledger:
        if ledger.is_empty():
            raise _never_run(swarm)
        results = where_it_lies(results_of(swarm), ledger, swarm.folder)
        troubles = ledger.troubles()
        target, environment = ledger.fact("target") or "", Environment(ledger.fact("root") or "")
        waiting = {outcome.number for outcome in ledger.uncollected()}
        for outcome in ledger.outcomes():
            if outcome.state is not TaskState.DONE:
                continue
            sandbox = environment.sandbox(outcome.claim, outcome.number, outcome.attempt) if outcome.claim else ""
            is_here = bool(outcome.place) and outcome.number not in waiting
            is_packed_here = results.is_archive_place(outcome.place)
            for name, found in outcome.designated:
                if not found or isinstance(name, Entry):
                    continue
                why = troubles.get((outcome.number, name), "") if is_here else _NOT_YET
                why = why if results.brings(outcome.id) else _LEFT_THERE
                place = ""
                if not why:
                    inner = outcome.place if is_packed_here else results.output(outcome.place, name)
                    place = f"{results.outdir}/{inner}"
                there = f"{sandbox}/{name}"
                outputs[f"{outcome.id}/{name}"] = Origin(
                    outcome.id,
                    outcome.claim,
                    outcome.attempt,
                    outcome.start_s,
                    place,
                    why,
                    "" if not sandbox else there if outcome.piece else environment.absolute(there),
                    Packed(outcome.claim, outcome.piece) if outcome.piece else None,
                    is_packed_here,
                )
    return Earlier(swarm.name, outputs, target, environment.root)


def _never_run(swarm: Swarm) -> PlanError:
    return PlanError(
        f"inputs: swarm {swarm.name}, whose results they are, was never run here",
        hint=f"`locusts run --swarm {swarm.name}`",
    )


def refuse_absent(plan: Plan, root: str, ledger: Ledger | None = None) -> None:
    """See that the results of other swarms which tasks need are on this machine, or on the target already.

    :param root: the environment there.
    :param ledger: knows which tasks are going to be run; without it, all are.
    :raises StateError: some are not.
    """
    if not plan.earlier:
        return
    absent: dict[str, str] = {}
    for task in plan.tasks():
        for name in filter(named_swarm, task.inputs):
            if plan.there.is_near(name, plan.swarm.target_name, root):
                continue
            origin = plan.there.origin(name)
            why = "it is not there" if origin is None else origin.why or _why_gone(origin.path)
            if why and (ledger is None or _will_run(ledger, task.id)):
                absent[name] = why
    _refuse(absent)


def _refuse(absent: Mapping[str, str]) -> None:
    if absent:
        swarm = named_swarm(next(iter(absent))) or ""
        lines = first_few([printable(f"{name}: {why}", keep="") for name, why in absent.items()], _SHOWN)
        raise StateError(
            "\n  ".join([f"{counted(len(absent), 'input')} of other swarms cannot be sent from here:", *lines]),
            hint=f"`locusts collect --swarm {swarm}` brings what that swarm left; then repeat this",
        )


def _will_run(ledger: Ledger, task_id: str) -> bool:
    """Return whether a submit may take a task: it was chosen, or waits in an earlier submission."""
    known = ledger.find(task_id)
    return ledger.is_chosen(task_id) or (known is not None and known.state is TaskState.PENDING)


def _why_gone(path: str) -> str:
    return "" if os.path.lexists(path) else f"there is no {path} any more"


def with_sources(
    plan: Plan, tasks: Iterable[PlannedTask], taken: Collection[tuple[int, str]], unarchived: Unarchived
) -> Iterator[PlannedTask]:
    """Yield tasks with the paths of files in place of inputs that are results of other swarms.

    :param taken: number and input of those that need not travel; they are left out.
    :param unarchived: makes files of those that stay packed here.
    :raises TransferError: one cannot be made.
    """
    if not plan.earlier:
        yield from tasks
        return
    for task in tasks:
        inputs, left_out = [], []
        for name in task.inputs:
            if (task.number, name) in taken:
                left_out.append(name)
                continue
            origin = plan.there.origin(name)
            is_packed = origin is not None and origin.is_in_archive
            inputs.append(unarchived.path(name) if is_packed else origin.path if origin else name)
        yield replace(task, inputs=tuple(inputs), taken=tuple(left_out))


class Unarchived:
    """Results of other swarms that stay packed here, made files, each when it is asked for."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._state_dir = plan, plan.swarm.state_dir
        self._ledgers: dict[str, Ledger] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def path(self, name: str) -> str:
        """Return the path of such an input, as a file here.

        :raises StateError: it has changed since the plan was made.
        :raises TransferError: it cannot be made.
        """
        first, _, inner = name.removeprefix("@").rstrip("/").partition("/")
        origin, outcome = self._plan.there.origin(name), self._ledger(first).find(inner.partition("/")[0])
        if origin is None or outcome is None or (outcome.claim, outcome.attempt) != (origin.claim, origin.attempt):
            raise StateError(f"{name} has changed meanwhile", hint="the same command again takes it as it is now")
        kept = self._ledger(first).archived.of(outcome.number).get(inner.partition("/")[2])
        if kept is None:
            raise StateError(f"{name} is not in {origin.path}", hint=f"`locusts collect --swarm {first}` brings it")
        place = self._state_dir / UNARCHIVED / first / f"{origin.claim}.{origin.attempt}" / inner
        unarchive(Path(origin.path), kept, inner, place, self._state_dir)
        return str(place)

    def _ledger(self, swarm: str) -> Ledger:
        if swarm not in self._ledgers:
            folder = self._plan.swarm.before[swarm].state_dir
            self._ledgers[swarm] = self._open.enter_context(ledger_in(folder))
        return self._ledgers[swarm]


class Nearby:
    """Inputs of tasks that other swarms made on the same target: they are linked there, and do not travel.

    :param tasks: those that are going to be staged.
    :ivar taken: number and input of those that are there.
    :ivar notes: what a person should know.
    :raises StateError: some are neither there nor here.
    :raises HostError: the target could not be asked.
    """

    def __init__(self, plan: Plan, site: Site, tasks: Iterable[PlannedTask]) -> None:
        self._site = site
        self._links: dict[tuple[int, str], tuple[str, str]] = {}
        self._pieces: dict[str, None] = {}  # each as the script reads it, once
        self._has_others = False
        self.notes: list[str] = []
        environment, target = site.environment, plan.swarm.target_name
        for task in tasks if plan.earlier else ():
            for name in task.inputs:
                origin = plan.there.origin(name)
                if origin is None or not origin.there or not plan.there.is_near(name, target, environment.root):
                    self._has_others = True
                    continue
                place = f"{environment.inputs(task.number)}/{input_place(name)}"
                self._links[task.number, name] = (self._source(plan, name, origin), place)
        self._unpack()
        lost = self._look() if self._links else []
        for key in lost:
            del self._links[key]
            self._has_others = True
        origins = {name: plan.there.origin(name) for _, name in lost}
        _refuse({name: each.why or "it is not there" for name, each in origins.items() if each and not each.path})
        if lost:
            self.notes.append(
                f"{counted(len(lost), 'input')} of other swarms had to travel, for the target has no file of it"
            )
        self.taken = self._links.keys()

    def link(self) -> None:
        """Take them, after all else was staged.

        :raises TransferError: not all could be taken.
        """
        if not self._links:
            return
        if self._has_others:  # some of the inputs may have come packed, and sandboxes are made of one place only
            self._run(remote_script("unpack_inputs"))
        self._write()
        self._run(remote_script("link_inputs"), _LIST, "link")
        if self._pieces:
            self._run(_FORGET, _UNPACKED)

    def _source(self, plan: Plan, name: str, origin: Origin) -> str:
        """Return the path on the target of a result, once it is unpacked if it is packed."""
        if origin.packed is None:
            return origin.there
        root = plan.there.root_of(name)
        archive = Environment(root).absolute(Environment(root).packed(origin.packed.claim))
        fields = (archive, origin.packed.claim, *map(str, origin.packed.piece))
        self._pieces["".join(f"{each}\0" for each in fields)] = None
        inner = origin.there.removeprefix(f"work/{origin.packed.claim}/")
        return self._site.environment.absolute(f"{_UNPACKED}/{origin.packed.claim}/{inner}")

    def _unpack(self) -> None:
        """Unpack there what is packed; what is not as it was written is left out, and is then not there."""
        if self._pieces:
            self._site.transfer.write(_PIECES, os.fsencode("".join(self._pieces)))
            self._run(remote_script("unpack_results"), _PIECES, _UNPACKED)

    def _look(self) -> list[tuple[int, str]]:
        """Return which of them are not there."""
        self._write()
        numbers = self._run(remote_script("link_inputs"), _LIST, "look").split()
        keys = list(self._links)
        found = {whole_or_none(number, 0, len(keys) - 1) for number in numbers}
        return [key for at, key in enumerate(keys) if at in found]

    def _write(self) -> None:
        text = "".join(f"{source}\0{place}\0" for source, place in self._links.values())
        self._site.transfer.write(_LIST, os.fsencode(text))

    def _run(self, script: str, *words: str) -> str:
        environment = self._site.environment
        most = entries_of("the list of inputs that are not there", 0, len(self._links), end=b"\n")
        result = self._site.host.run(
            script, environment.root, environment.id, *words, quiet_s=LONG_S, timeout_s=LONG_S, most=most
        )
        if result.exit_status != 0:
            raise TransferError(
                f"{self._site.host.name}: results of other swarms cannot be taken:\n{result.stderr.strip()}",
                hint="free some space there, or see permissions; then the same command again carries on",
                stderr=result.stderr,
            )
        return result.text
