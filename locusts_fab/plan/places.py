"""Where results would land, seen before anything starts: on nothing of the user's own, and not among the inputs.

What stands below outdir and was not put there by us is left alone when results come, too. Here a config is refused in
which that is bound to happen, or in which results would be taken for inputs by the next submit.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locusts_fab.bounds.entries import Entry, shown
from locusts_fab.bounds.names import TaskId
from locusts_fab.errors import PlanError
from locusts_fab.layout import Results, folders_above, input_path, is_of_indir, named_swarm
from locusts_fab.plan.files import sought_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.model.tasks import Task
    from locusts_fab.shell.template import Template

_HINT = "choose another outdir, or other names for the outputs"
_OWN_FOLDER = "choose an outdir that holds nothing else, such as results/NAME"


def check_places(
    swarm: Swarm,
    inputs: Sequence[Template],
    count: int,
    tasks: Callable[[], Iterable[Task]],
    sought: Iterable[Template],
) -> None:
    """Look where everything that comes back would land.

    :param inputs: the templates of inputs.
    :param count: the number of tasks.
    :param tasks: a function that gives all of them; they are looked through only where that can matter.
    :param sought: those of `inputs` whose names give the tasks.
    :raises PlanError: something would land on an input or another file of the user's own, in a folder of ours, where
        another swarm's results are, or where the next submit would take it for an input.
    """
    outdir = os.path.realpath(swarm.outdir)
    _check_folder(swarm, outdir)
    guarded = _Guarded(outdir, [*_own_files(swarm), *_inputs_below(swarm, outdir, inputs, tasks)])
    names = list(filter(None, _all_sought(swarm.indir, outdir, sought)))
    if guarded or names:
        for what, landing, task_ids in _landings(swarm, count, tasks):
            guarded.check(what, landing, task_ids)
            for each in names:
                each.check(what, landing, task_ids)


def _check_folder(swarm: Swarm, outdir: str) -> None:
    """Raise a PlanError if the folder of results as a whole is none that results may go to."""
    is_default = swarm.is_custom and swarm.outdir == swarm.state_dir
    for folder, what in _folders_of_ours(swarm):
        if _is_below(outdir, folder) and not is_default:
            raise PlanError(f"outdir: {swarm.outdir} lies in {what}, {folder}", hint=_OWN_FOLDER)
    if swarm.is_custom and outdir == os.path.realpath(swarm.local_tree):
        raise PlanError(
            f"outdir: {swarm.outdir} is the tree itself, so nobody could tell its files from lists and logs",
            hint=_OWN_FOLDER,
        )
    for name, settings in swarm.others.items():
        if os.path.realpath(replace(swarm, name=name, settings=settings).outdir) == outdir:
            raise PlanError(
                f"outdir: swarms.{name} has the same one, {swarm.outdir}; each would replace the other's tables",
                hint="give each swarm an outdir of its own",
            )


def _folders_of_ours(swarm: Swarm) -> Iterator[tuple[str, str]]:
    """Yield the folders on this machine that we make and remove, each with what it is in words."""
    yield os.path.realpath(swarm.folder / ".locusts"), "the folder for the local state"
    if root := swarm.root_here:
        yield os.path.realpath(swarm.resolve(f"{root}/{swarm.name}")), "the environment, where tasks run"


def _own_files(swarm: Swarm) -> Iterator[tuple[str, str]]:
    """Yield what else is read or kept: real paths, each with what it is in words."""
    settings = swarm.settings
    yield from _folders_of_ours(swarm)
    yield os.path.realpath(swarm.config_path or swarm.folder / "locusts.toml"), "the config file"
    files = {"args_file": settings.args_file, "command_file": settings.command_file, "tree": settings.tree}
    for key, path in files.items():
        if path is not None:
            yield os.path.realpath(swarm.resolve(path)), f"the {key} {path}"
    for earlier in swarm.before.values():
        yield os.path.realpath(earlier.outdir), f"the results of swarm {earlier.name}"
    for key in settings.shared:
        yield os.path.realpath(swarm.shared_source(key)), f"shared.{key}"
    if swarm.is_custom:
        yield os.path.realpath(swarm.local_tree), "the tree"


def _inputs_below(
    swarm: Swarm, outdir: str, inputs: Sequence[Template], tasks: Callable[[], Iterable[Task]]
) -> Iterator[tuple[str, str]]:
    """Yield the inputs that lie in the folder of results, be it through symlinks: real paths, each with what it is."""
    if not inputs or not Path(outdir).is_dir():
        return
    indir = str(swarm.indir)
    look = functools.lru_cache(64)(lambda above: _InputFolder(above, outdir))
    if not any("/" in template.text for template in inputs) and look(indir).is_apart:
        return
    for task in tasks():
        for name in task.inputs:
            if named_swarm(name) is not None:  # `_own_files` has the whole folder
                continue
            above, last = os.path.split(input_path(indir, name))
            if (path := look(above).below(last)) is not None:
                yield path, f"the input {name} of task {task.id}"


class _InputFolder:
    """A folder that inputs lie in; it is listed once, for there may be a million of them.

    :ivar is_apart: nothing in it lies in the folder of results, or is a symlink that may lead there.
    """

    def __init__(self, path: str, outdir: str) -> None:
        self._outdir = outdir
        self._real = os.path.realpath(path)
        self._is_below = _is_below(self._real, outdir)
        self._links: set[str] = set()
        with contextlib.suppress(OSError), os.scandir(self._real) as entries:  # it need not be there
            self._links = {entry.name for entry in entries if entry.is_symlink()}
        self.is_apart = not self._is_below and not self._links

    def below(self, name: str) -> str | None:
        """Return the real path of an input in here, if it lies in the folder of results."""
        if name in self._links:
            path = os.path.realpath(f"{self._real}/{name}")
            return path if _is_below(path, self._outdir) else None
        return f"{self._real}/{name}" if self._is_below else None


def _landings(
    swarm: Swarm, count: int, tasks: Callable[[], Iterable[Task]]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield what comes back: what it is in words, its path relative to outdir, and its task if it is of one."""
    results = Results(swarm.outdir, swarm.settings.layout == "flat")
    for table in (results.tasks_table, results.outputs_table, *([results.modified_table] if swarm.is_custom else [])):
        yield f"the table {table.name}", table.name, ()
    for number, task in enumerate(tasks(), 1):
        place = "" if results.is_flat else f"{results.place(TaskId(task.id), number, count)}/"
        who = (task.id,)
        for output in () if swarm.is_custom else task.outputs:
            if isinstance(output, Entry) and output.is_pattern:
                continue  # what it matches is not known yet; what is not ours stays when it comes
            name = shown(output)
            yield f"the output {name} of task {task.id}", f"{place}{name}", who
            failed = f"{results.failed_place(TaskId(task.id))}/{name}"
            yield f"the output {name} of task {task.id}, should it fail,", failed, who
        yield f"the log of task {task.id}", f"logs/{task.id}.log", who


class _Guarded:
    """The files and folders below outdir that nothing may land on, or in.

    :param found: real paths, each with what it is in words.
    """

    def __init__(self, outdir: str, found: Iterable[tuple[str, str]]) -> None:
        self._outdir = outdir
        self._what: dict[str, str] = {}
        self._above: dict[str, str] = {}  # folders that hold some of them: one of each
        for path, what in found:
            if _is_below(path, outdir) and path != outdir:
                name = path[len(outdir.rstrip("/")) + 1 :]
                self._what.setdefault(name, what)
                for folder in folders_above(name):
                    self._above.setdefault(folder, name)

    def __bool__(self) -> bool:
        return bool(self._what)

    def check(self, what: str, landing: str, task_ids: tuple[str, ...]) -> None:
        """Raise a PlanError if what comes back under this name lands on one of them, in one of them, or around one."""
        there = next((name for name in (landing, *folders_above(landing)) if name in self._what), None)
        there = there or self._above.get(landing)
        if there is not None:
            raise PlanError(
                f"outdir: {what} would land on {self._what[there]}: {self._outdir}/{there}",
                hint=_HINT,
                task_ids=task_ids,
            )


def _all_sought(indir: Path, outdir: str, inputs: Iterable[Template]) -> Iterator[_Sought]:
    """Yield the names by which inputs are sought: those in `indir`, and those in folders of their own."""
    templates = list(inputs)
    yield _Sought(os.path.realpath(indir), outdir, [each for each in templates if is_of_indir(each.text)])
    for template in templates:
        if template.text.startswith("/"):
            folder, rest = sought_in(template)
            yield _Sought(os.path.realpath(folder), outdir, [rest])


class _Sought:
    """The names by which inputs are sought, as far as something below outdir can have one.

    :param inputs: the templates that are matched with the names of files in `indir`.
    """

    def __init__(self, indir: str, outdir: str, inputs: Iterable[Template]) -> None:
        self._outdir = outdir
        self._way: list[str] = []
        self._up = 0  # so many folders lead from outdir down to indir
        self._names: list[_SoughtName] = []
        if _is_below(outdir, indir):
            self._way = os.path.relpath(outdir, indir).split("/") if outdir != indir else []
            self._names = [each for each in self._names_of(inputs) if each.may_begin(self._way)]
        elif _is_below(indir, outdir):
            self._indir = os.path.relpath(indir, outdir) + "/"
            self._up = len(self._indir)
            self._names = self._names_of(inputs)

    def __bool__(self) -> bool:
        return bool(self._names)

    @staticmethod
    def _names_of(inputs: Iterable[Template]) -> list[_SoughtName]:
        return [_SoughtName(each) for each in inputs if each.handles]

    def check(self, what: str, landing: str, task_ids: tuple[str, ...]) -> None:
        """Raise a PlanError if what comes back under this name, or a folder for it, matches an input."""
        if self._up:
            if not landing.startswith(self._indir):
                return
            landing = landing[self._up :]
        parts = [*self._way, *landing.split("/")]
        for name in self._names:
            if name.matches(parts):
                raise PlanError(
                    f"outdir: {what} would come to {self._outdir}, where its name matches the input {name.text},"
                    " so the next submit would make a task of it",
                    hint="choose an outdir outside of indir, or other names for the outputs",
                    task_ids=task_ids,
                )


class _SoughtName:
    """A template of inputs as the names of files are matched with it: a handle stands for anything but a slash."""

    def __init__(self, template: Template) -> None:
        self.text = template.text
        marked = template.render({handle: f"\0{number}\0" for number, handle in enumerate(template.handles)})
        self._parts = [_pattern(part) for part in marked.split("/")]
        self._whole = _pattern(marked)

    def may_begin(self, way: list[str]) -> bool:
        """Return whether the way to outdir matches its first parts, so that something in there may match it."""
        return all(part.fullmatch(name) for part, name in zip(self._parts, way, strict=False))

    def matches(self, parts: list[str]) -> bool:
        """Return whether a path, or a folder on the way to it, matches it."""
        depth = len(self._parts)
        return depth <= len(parts) and self._whole.fullmatch("/".join(parts[:depth])) is not None


def _pattern(marked: str) -> re.Pattern[str]:
    """Return a pattern for a text in which each handle stands as its number between two NULs."""
    pieces, known = [], set()
    for index, piece in enumerate(marked.split("\0")):
        if index % 2 == 0:
            pieces.append(re.escape(piece))
        else:
            pieces.append(f"(?P=h{piece})" if piece in known else f"(?P<h{piece}>[^/]+)")
            known.add(piece)
    return re.compile("".join(pieces), re.DOTALL)


def _is_below(path: str, folder: str) -> bool:
    """Return whether a path is a folder, or lies in it; both are real paths."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")
