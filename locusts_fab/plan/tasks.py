"""From a config to the tasks that it means, and from tasks to chunks. Reads the names of inputs, writes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry, shown, written
from locusts_fab.bounds.names import why_not_plain
from locusts_fab.errors import PlanError
from locusts_fab.layout import FAILED, Environment, Occupied, Results, input_place, is_of_indir, named_swarm
from locusts_fab.model.tasks import FINAL, Chunk, Memory, Task
from locusts_fab.plan.final import final_task
from locusts_fab.plan.ids import check_ids, listing, name_tasks
from locusts_fab.plan.inputs import Inputs
from locusts_fab.plan.limits import HINT, Limits, check_shared, check_variables
from locusts_fab.plan.numbers import Rows
from locusts_fab.plan.places import check_places
from locusts_fab.plan.product import join_again, memory_of_rows
from locusts_fab.plan.sources import read_source
from locusts_fab.plan.stamps import stamper
from locusts_fab.shell.template import Template, is_direct
from locusts_fab.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Values
    from locusts_fab.plan.inputs import Earlier
    from locusts_fab.plan.source import Source

#: The longest chunk; see docs/design.md for why these sizes.
LONGEST_CHUNK = 128
_NAME_SHOWN = 40


@dataclass
class Plan:
    """All the tasks of a swarm, rendered one by one when they are asked for: a million of them need not fit in memory.

    :param warnings: what a person should know, a line each.
    :param program: the program, if each command is one plain call of it; else empty.
    :param last_number: the highest number that was ever given to a task as its id.
    :param final: the task that comes after all others, if there is one.
    :param earlier: the swarms whose outputs may be inputs.
    """

    swarm: Swarm
    source: Source
    command: Template | None
    inputs: list[Template]
    outputs: list[Template]
    environment_dir: str
    warnings: list[str] = field(default_factory=list)
    program: str = ""
    last_number: int = 0
    final: Task | None = None
    earlier: Mapping[str, Earlier] = field(default_factory=dict)

    @cached_property
    def there(self) -> Inputs:
        """What there is of inputs."""
        return Inputs(self.swarm.indir, self.earlier)

    @cached_property
    def shared(self) -> dict[str, str]:
        """The path on the target of each shared file, by its key."""
        return shared_paths(self.swarm, self.environment_dir)

    @cached_property
    def _rooted(self) -> frozenset[int]:
        """The places of the inputs that are absolute, or of another swarm; a value makes none so."""
        return frozenset(at for at, template in enumerate(self.inputs) if not is_of_indir(template.text))

    def _relative(self, inputs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([name[1:] if at in self._rooted else name for at, name in enumerate(inputs)])

    @cached_property
    def _unseen(self) -> list[int]:
        """The places of the inputs that have to be looked for, task by task."""
        return [at for at, template in enumerate(self.inputs) if template.text not in self.source.seen_inputs]

    @property
    def ids(self) -> list[str]:
        """The ids of the tasks, those too that `missing_inputs` leaves out."""
        return [*self.source.ids, *([] if self.final is None else [self.final.id])]

    @property
    def count(self) -> int:
        """The number of tasks."""
        return len(self.source.ids) + (self.final is not None)

    def tasks(self, *, stamped: bool = False) -> Iterator[Task]:
        """Yield the tasks, in the order of their ids, and then the one that comes after all others.

        :param stamped: look at the sizes and times of their inputs, too.
        :raises PlanError: names of inputs or outputs cannot be used as they come out, or a command is too long.
        """
        stamp = stamper(self.there) if stamped else lambda _inputs: b""
        limits = Limits.of(self.environment_dir, str(self.swarm.outdir))
        bad: list[str] = []
        long: list[str] = []
        lacking: list[str] = []
        rooted, has_unseen = bool(self._rooted), bool(self._unseen)
        for index, task_id in enumerate(self.source.ids):
            command, inputs, outputs = self.text(index, task_id)
            relative = self._relative(inputs) if rooted else inputs
            problem = _why_unusable(command, relative, outputs) or (_why_colliding(inputs) if rooted else None)
            if problem:
                bad.append(f"task {task_id}: {problem}")
            elif excess := limits.why_too_long(task_id, command, (*relative, *outputs)):
                long.append(f"task {task_id}: {excess}")
            elif not (has_unseen and self._lacks_inputs(task_id, inputs, lacking)):
                values = self._values(index, task_id)
                yield Task(task_id, command, inputs, outputs, values, stamp(inputs), self.swarm.settings.strict)
        self._check_final(limits, bad, long)
        if bad:
            raise PlanError(listing("names that cannot be used", bad))
        if long:
            raise PlanError(listing("tasks with something too long to be run", long), hint=HINT)
        if lacking:
            self._complain(lacking)
        if self.final is not None:
            yield self.final

    def _check_final(self, limits: Limits, bad: list[str], long: list[str]) -> None:
        """Note what is wrong with the task that comes after all others."""
        if self.final is None:
            return
        if problem := _why_unusable(self.final.command, (), self.final.outputs):
            bad.append(f"{FINAL}: {problem}")
        elif excess := limits.why_too_long(FINAL, self.final.command, self.final.outputs):
            long.append(f"{FINAL}: {excess}")

    def _lacks_inputs(self, task_id: str, inputs: tuple[str, ...], lacking: list[str]) -> bool:
        """Return whether an input of a task is missing, and note it; some were looked at already."""
        absent = [inputs[at] for at in self._unseen if not self.there.has(inputs[at])]
        if absent:
            lacking.append(f"task {task_id}: {absent[0]}")
        return bool(absent)

    def _complain(self, lacking: list[str]) -> None:
        """Refuse tasks without their inputs, or warn that they are left out."""
        lack = "lacks" if len(lacking) == 1 else "lack"
        message = listing(
            f"{len(lacking)} of {counted(len(self.source.ids), 'task')} {lack} an input in {self.swarm.indir}", lacking
        )
        if self.swarm.settings.missing_inputs == "error":
            hint = 'add the files, or leave those tasks out with missing_inputs = "skip"'
            raise PlanError(message, hint=hint)
        warning = f"left out, as missing_inputs says: {message}"
        if warning not in self.warnings:  # the tasks may have been looked through before
            self.warnings.append(warning)

    def _values(self, index: int, task_id: str) -> Values:
        """Return the values of a task, without one that only says what its id says."""
        values = self.source.own(index)
        return values if self.source.is_numbered else tuple([pair for pair in values if pair != ("id", task_id)])

    def text(self, index: int, task_id: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Return command, inputs and outputs of the task at a place.

        :param task_id: its id; `<id>` becomes this one, unless the config has another value for it.
        :raises PlanError: a value cannot stand where it should.
        """
        values = self.source.values(index)
        if not self.source.has_own_id:
            values["id"] = task_id
        return (
            self._command(index, task_id, values),
            tuple([template.render(values) for template in self.inputs]),
            tuple([written(template.render(values)) for template in self.outputs]),
        )

    def _command(self, index: int, task_id: str, values: dict[str, str]) -> str:
        """Return a task's command; the PlanError of a value that cannot stand where it should names the task."""
        try:
            return self.command.render(values) if self.command else self._own_command(index, values)
        except PlanError as error:
            message = f"task {printable(task_id, keep='')}: {error.message}"
            raise PlanError(message, hint=error.hint, task_ids=[task_id]) from None

    def _own_command(self, index: int, values: dict[str, str]) -> str:
        """Return a line of a command file with its values; each line is a template of its own."""
        return Template.command(self.source.commands[index], {"id"}, self.shared).render(values)


def make_plan(
    swarm: Swarm, environment_dir: str, memory: Memory | None = None, earlier: Mapping[str, Earlier] | None = None
) -> Plan:
    """Return the tasks that the config means.

    :param environment_dir: the environment's folder on the target, absolute, for the paths of shared files.
    :param memory: the tasks that are known, for those with numbers to keep them; None: they are numbered from 1 on.
    :param earlier: the swarms whose outputs may be inputs, by name.
    :raises PlanError: the inputs do not give a set of tasks that can be run.
    """
    settings = swarm.settings
    for key in settings.shared:
        if not swarm.shared_source(key).exists():
            raise PlanError(f"shared.{key}: there is no {swarm.shared_source(key)}", hint="fix its path in the config")
    source = read_source(swarm, Inputs(swarm.indir, earlier))
    if settings.id is not None:
        name_tasks(source, settings.id)
    shared = shared_paths(swarm, environment_dir)
    check_shared(shared)
    check_variables(settings.env)
    command = None
    if settings.command is not None:
        command = Template.command(settings.command, source.handles, shared)
    plan = Plan(
        swarm,
        source,
        command,
        [Template.name(text, source.handles) for text in settings.inputs],
        [Template.name(text, source.handles) for text in swarm.designated],
        environment_dir,
        warnings=[*source.warnings, *(command.suspects if command else [])],
        earlier=earlier or {},
    )
    if settings.command is not None and is_direct(settings.command):
        plan.program = settings.command.split(None, 1)[0]
    if source.is_numbered:
        plan.last_number = _number(plan, memory or Memory())
    check_ids(source, has_archives=settings.results == "archive")
    plan.final = final_task(swarm, environment_dir, shared, source.ids)
    _check_outputs(plan)
    sought = [template for template in plan.inputs if template.text in source.seen_inputs]
    check_places(swarm, plan.inputs, plan.count, plan.tasks, sought)
    return plan


def _number(plan: Plan, memory: Memory) -> int:
    """Give the tasks of a plan their numbers, and return the highest that was ever given."""
    told = {handle for template in [plan.command, *plan.outputs] if template for handle in template.handles}
    inputs = {handle for template in plan.inputs for handle in template.handles}
    used, shown = frozenset(told | inputs), inputs <= told | {"id"}
    if plan.source.factors is None:
        return Rows(plan.source, used, plan.text, shown).number(memory)
    files, rows = plan.source.factors
    last = Rows(rows, used - files.handles, plan.text, shown).number(memory_of_rows(memory, files))
    join_again(plan.source)
    return last


def shared_paths(swarm: Swarm, environment_dir: str) -> dict[str, str]:
    """Return the path on the target of each shared file or folder, by its key."""
    environment = Environment(environment_dir)
    return {
        key: environment.absolute(environment.shared(key, swarm.shared_source(key).name))
        for key in swarm.settings.shared
    }


def chunk_sizes(tasks: int, slots: int) -> list[int]:
    """Return the sizes of the chunks: falling, so that few claims are needed and yet no slot idles at the end.

    Each chunk is a 1/(2 x slots) of what remains, at most 128 and at least 1 ("guided self-scheduling" with a cap:
    Polychronopoulos and Kuck, IEEE Trans. Comput. C-36, 1987).

    :param slots: all slots of all managers together.
    """
    sizes = []
    while tasks > 0:
        sizes.append(max(1, min(LONGEST_CHUNK, tasks // (2 * slots))))
        tasks -= sizes[-1]
    return sizes


def make_chunks(tasks: int, slots: int, first: int) -> list[Chunk]:
    """Return the chunks for so many tasks, numbered from `first` on; see `chunk_sizes`."""
    return [Chunk(number, size) for number, size in enumerate(chunk_sizes(tasks, slots), first)]


def _check_outputs(plan: Plan) -> None:
    """Raise a PlanError if two outputs would end up in one place."""
    settings = plan.swarm.settings
    twice = [name for name, times in Counter(settings.outputs).items() if times > 1]
    if twice:
        raise PlanError(f"outputs: {twice[0]} is named twice")
    if settings.layout == "flat":
        _check_flat(plan)


def _check_flat(plan: Plan) -> None:
    """Raise a PlanError unless one folder can hold the outputs of all tasks: no name twice, as a file or a folder."""
    results = Results(plan.swarm.outdir, is_flat=True)
    occupied = Occupied[str]()
    for path in (results.tasks_table, results.outputs_table):
        occupied.take(path.name, "the tables")
    occupied.take("logs", "the logs")
    occupied.take(FAILED, "the outputs of failed tasks")
    for task in plan.tasks():
        owner = f"task {task.id}"
        for name in task.outputs:
            if isinstance(name, Entry):
                if name.name is None:
                    continue  # what it matches is not known yet; `collect` sees that nothing is replaced
                name = name.name  # noqa: PLW2901 - what it names
            other = occupied.other(name, owner)
            if other is not None:
                raise PlanError(
                    f'layout = "flat": {name} of {owner} would collide with {other}',
                    hint='put <id> into the name, or choose layout = "tasks"',
                    task_ids=[task.id],
                )
            occupied.take(name, owner)


def _why_colliding(inputs: tuple[str, ...]) -> str | None:
    """Return which inputs, some of them absolute, would have one place in a sandbox; None if each has its own."""
    for name in inputs:
        place = input_place(name)
        others = [other for other in inputs if other != name and f"{input_place(other)}/".startswith(f"{place}/")]
        if others and not all(map(is_of_indir, (name, *others))):
            return (
                f"both {name} and {others[0]} would be {place} in its sandbox, for of an absolute path the last part"
                " is, and of a result of another swarm"
            )
    return None


def _why_unusable(command: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> str | None:
    """Return what is wrong with a task's names, once the values are in; None if nothing is."""
    if "\0" in command:
        return "its command holds a NUL"
    for name in inputs:
        if (swarm := named_swarm(name)) is not None:
            return f"the input {name} looks like a result of a swarm {swarm}; rename its folder"
    for name in (*inputs, *outputs):
        why = why_not_plain(name.text if isinstance(name, Entry) else name)
        if why is not None:
            start = f"{shown(name)[:_NAME_SHOWN]!r}{'…' if len(name) > _NAME_SHOWN else ''}"
            return f"{start} cannot be the name of an input or output: {why}"
    if len(set(outputs)) < len(outputs):
        return "two of its outputs have the same name"
    return None
