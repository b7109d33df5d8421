"""The tables of a config, checked: plain dictionaries in, a typed `Config` out, or a `ConfigError`.

`schema.py` has the keys and what they mean, `problems.py` the words for what is wrong. The tables come from a file, see
`load.py`, or from Python, see `Swarm.from_command`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from locusts_fab.config.given import missing_gpus, taken_variables, wrong_gres
from locusts_fab.config.problems import describe, dotted, meant_key, nameless, no_such, shown, unknown_key
from locusts_fab.config.schema import NAME, NAME_RULE, SwarmSettings, Table, Target
from locusts_fab.errors import ConfigError
from locusts_fab.layout import RESULT_PARTS, named_swarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    Conflicts = Callable[[Any, frozenset[str]], Iterator[tuple[str, str]]]

AnyTable = TypeVar("AnyTable", bound=Table)


@dataclass(frozen=True)
class Config:
    """A locusts.toml that holds no errors.

    :param path: the file.
    :param targets: the targets by name; this machine, as `here`, if the file has none.
    :param swarms: the swarms by name, at least one.
    """

    path: Path
    targets: dict[str, Target]
    swarms: dict[str, SwarmSettings]


def make_config(path: str | Path, document: dict[str, Any]) -> Config:
    """Return what the tables of a config file mean, checked; there need not be a file.

    :param path: the file, as errors name it.
    :param document: its tables.
    :raises ConfigError: with all that is wrong in it.
    """
    problems = [unknown_key(key, (), ("targets", "swarms")) for key in document if key not in {"targets", "swarms"}]
    if document.get("swarms", {}) == {} and not problems:
        problems.append("swarms: there is none; add a table [swarms.NAME] with a command")
    targets = _read_tables(document, "targets", Target, _conflicts_of_target, problems)
    swarms = _read_tables(document, "swarms", SwarmSettings, _conflicts_of_swarm, problems)
    if document.get("targets", {}) == {}:
        targets["here"] = Target(mode="local")
    named = document.get("targets") or targets
    for name, settings in swarms.items():
        if settings.target is not None and isinstance(named, dict) and settings.target not in named:
            problems.append(f"{dotted('swarms', name, 'target')}: {no_such('target', settings.target, named)}")
    if isinstance(document.get("swarms"), dict) and swarms.keys() == document["swarms"].keys():
        problems += _problems_of_order(swarms)
    if problems:
        raise ConfigError(str(path), problems)
    return Config(Path(path), targets, swarms)


def check_together(config: Config, name: str, target_name: str) -> None:
    """See that a swarm of a config can run on one of its targets.

    :raises ConfigError: it cannot.
    """
    settings, target = config.swarms[name], config.targets[target_name]
    if problems := list(missing_gpus(target_name, target.gpus, settings.gpus_per_task)):
        raise ConfigError(str(config.path), [f"{dotted('swarms', name, 'gpus_per_task')}: {each}" for each in problems])


def _read_tables(
    document: dict[str, Any], kind: str, model: type[AnyTable], conflicts: Conflicts, problems: list[str]
) -> dict[str, AnyTable]:
    """Return all tables of a kind by name, `[targets.*]` or `[swarms.*]`; what is wrong goes to `problems`."""
    tables = document.get(kind, {})
    if not isinstance(tables, dict):
        problems.append(f"{kind}: expected tables, [{kind}.NAME]; found {shown(tables)}")
        return {}
    found = {}
    if (
        tables
        and not any(isinstance(table, dict) for table in tables.values())
        and meant_key(next(iter(tables)), model)
    ):
        problems.append(nameless(kind, next(iter(tables))))
        return {}
    for name, table in tables.items():
        if not NAME.fullmatch(name):
            problems.append(f"{dotted(kind, name)}: {NAME_RULE}")
        if not isinstance(table, dict):
            problems.append(f"{dotted(kind, name)}: expected a table, [{kind}.NAME]; found {shown(table)}")
        elif (settings := _read_table((kind, name), table, model, conflicts, problems)) is not None:
            found[name] = settings
    return found


def _read_table(
    where: tuple[str, str], table: dict[str, Any], model: type[AnyTable], conflicts: Conflicts, problems: list[str]
) -> AnyTable | None:
    """Return one table, checked; None if too much of it is wrong.

    A table with bad keys is read again without them, so that conflicts among the others show at once too.
    A key that was misspelled or has a bad value counts as given: one mistake makes one problem.
    """
    errors: list[ErrorDetails] = []
    try:
        settings = model.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems += [describe(error, where, model) for error in errors]
    bad = {str(error["loc"][0]) for error in errors}
    if bad & {"mode", "scheduler", "environment"}:  # the other keys are right or wrong by these
        return None
    if bad:
        settings = model.model_validate({key: value for key, value in table.items() if key not in bad})
    meant = {meant_key(key, model) for key in bad}
    given = frozenset(table) | {key for key in meant if key}
    for key, message in conflicts(settings, given):
        if key not in bad:
            problems.append(f"{dotted(*where, *([key] if key else []))}: {message}")
    return settings


def _conflicts_of_target(target: Target, given: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield which keys of a target do not go together.

    :param given: the keys that stand in the file, also those whose value was refused.
    :returns: pairs of a key and what is wrong with it.
    """
    if target.mode == "local":
        if target.root is not None and target.root.startswith("$"):
            yield (
                "root",
                'variables are not put in here in mode = "local"; write the path itself, or ~ for your home folder',
            )
        for key in sorted(given & {"host", "shared_root", "known_hosts"}):
            yield key, 'not in mode = "local"; take it out, or choose mode = "remote"'
    else:
        for key in ("host", "root"):
            if key not in given:
                yield key, f'missing; mode = "{target.mode}" needs it'
        if target.mode == "remote-shared" and "shared_root" not in given:
            yield "shared_root", 'missing; mode = "remote-shared" needs it: the folder root as this machine sees it'
    yield from (("slurm", f"gres: {problem}") for problem in wrong_gres(target.gpus, target.slurm.gres))
    if target.scheduler != "slurm":
        if "slurm" in given:
            yield "slurm", 'only with scheduler = "slurm"'
        if target.nodes > 1:
            yield "nodes", 'more than one node needs scheduler = "slurm"'


def _conflicts_of_swarm(swarm: SwarmSettings, given: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield which keys of a swarm do not go together; see `_conflicts_of_target`. The key `""` is the swarm itself."""
    if "command" not in given and "command_file" not in given:
        yield "command", "missing; say what each task runs, here or in command_file"
    if {"command", "command_file"} <= given:
        yield "command_file", "not together with command; keep one of them"
    yield from _conflicts_of_sources(swarm, given)
    yield from _conflicts_of_final(swarm, given)
    yield from _conflicts_of_archives(swarm, given)
    yield from _handles_without_values(swarm)
    yield from (("env", problem) for problem in taken_variables(swarm.env, swarm.gpus_per_task))
    custom_keys = ("root", "tree", "include", "exclude", "workdir", "in_place")
    if swarm.environment == "default":
        for key in custom_keys:
            if key in given:
                yield key, 'only with environment = "custom"'
        return
    if "root" not in given:
        yield "root", 'missing; environment = "custom" needs the folder to replicate'
    for key in ("layout", "inputs", "pack"):
        if key in given:
            yield key, 'not with environment = "custom"; all tasks share one tree'
    if "tree" in given and given & {"include", "exclude"}:
        yield "tree", "not together with include or exclude; keep one way to choose"


def _conflicts_of_final(swarm: SwarmSettings, given: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong about the task that comes after all others."""
    if swarm.collect == "final" and "final" not in given:
        yield "collect", '"final" needs a table [swarms.NAME.final], whose outputs are to come back'
    if swarm.environment == "custom" and "final" in given:
        yield "final", 'not with environment = "custom"; all tasks share one tree'


def _conflicts_of_archives(swarm: SwarmSettings, given: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what does not go together with results that stay packed."""
    if swarm.results == "archive" and "pack" not in given:
        yield "results", '"archive" needs pack = true'
    elif swarm.results == "archive" and not swarm.pack:
        yield "pack", 'results = "archive" needs it to be true'
    if swarm.results == "archive" and swarm.layout == "flat":
        yield "layout", 'not "flat" with results = "archive"; there is no folder of all outputs'


def _handles_without_values(swarm: SwarmSettings) -> Iterator[tuple[str, str]]:
    """Yield what is the same for all tasks and holds a handle. Any other `<word>` is text like any."""
    variables = "for env is the same for all tasks; set {} in the command, in front of the program"
    texts = [("env", f"{name}: ", value, variables.format(name)) for name, value in swarm.env.items()]
    folder = "for all tasks share this folder; write it into {}"
    texts += [
        (key, "", value, folder.format(where))
        for key, value, where in (("indir", swarm.indir, "inputs"), ("outdir", swarm.outdir, "outputs"))
        if value is not None
    ]
    used = "\n".join([swarm.command or "", *swarm.inputs, *swarm.outputs, *swarm.optional_outputs])
    for key, name, text, why in texts:
        for found in re.finditer(r"<([A-Za-z_][\w.-]*)(:raw)?>", text):
            word = found[1]
            is_column = swarm.args_file is not None or word in (swarm.sweep or {}) or f"<{word}>" in used
            if is_column or re.fullmatch(r"id|shared|arg[0-9]+", word):
                yield key, f"{name}{found[0]} has no value here, {why}"
                break


#: What can be a handle of file names; `<shared>` and `<arg0>` mean something else.
_HANDLE = re.compile(r"(?<!\\)<(?!(?:shared|arg[0-9]+)[:>])[A-Za-z_][A-Za-z0-9_.-]*(:raw)?>")


def _conflicts_of_sources(swarm: SwarmSettings, given: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong unless exactly one key says which tasks there are."""
    sources = [key for key in ("args", "args_file", "sweep", "command_file") if key in given]
    templated = any(_HANDLE.search(name) for name in swarm.inputs)
    if len(sources) > 1:
        yield "", f"several keys make tasks ({', '.join(sources)}); keep one of them"
    elif not sources and swarm.environment == "custom":
        yield "", "nothing makes tasks; give args, args_file, sweep or command_file"
    elif not sources and "inputs" not in given:
        yield "", "nothing makes tasks; give inputs with <id>, args, args_file, sweep or command_file"
    elif not sources and not templated:
        yield "inputs", "none has a handle, so nothing makes tasks; put <id> where the names differ, or give args"
    if {"command_file", "id"} <= given:
        yield "id", "not with command_file; its lines have no values to make names of"
    if "command_file" in given and "inputs" in given:
        yield "inputs", "not with command_file; files that its commands read go into shared"


# ---------------------------------------------------------------------------------------------------------------------
# The order


def predecessors(settings: SwarmSettings) -> list[str]:
    """Return the names of the swarms that one comes after."""
    implied = (named_swarm(name) for name in settings.inputs)
    return list(dict.fromkeys([*settings.after, *filter(None, implied)]))


def _problems_of_order(swarms: Mapping[str, SwarmSettings]) -> Iterator[str]:
    """Yield what is wrong with the order of swarms, a line each: unknown names, circles, results that cannot be."""
    for name, settings in swarms.items():
        named = [(dotted("swarms", name, "after", at), each) for at, each in enumerate(settings.after)]
        for at, entry in enumerate(settings.inputs):
            if (swarm := named_swarm(entry)) is None:
                continue
            where = dotted("swarms", name, "inputs", at)
            named.append((where, swarm))
            if entry.count("/") < RESULT_PARTS - 1:
                yield f"{where}: expected @SWARM/TASK/OUTPUT, such as @{swarm}/<id>/out.txt; found {shown(entry)}"
            elif swarm in swarms and swarms[swarm].environment == "custom":
                yield f"{where}: the tasks of {swarm} share one tree, so none has results of its own"
        for where, other in named:
            if other == name:
                yield f"{where}: a swarm cannot come after itself"
            elif other not in swarms:
                yield f"{where}: {no_such('swarm', other, [each for each in swarms if each != name])}"
    circle = _find_circle({name: predecessors(each) for name, each in swarms.items()})
    if circle:
        way = " -> ".join(circle)
        yield f"{dotted('swarms', circle[0], 'after')}: these swarms come after each other in a circle: {way}"


def in_order(swarms: Mapping[str, SwarmSettings]) -> list[str]:
    """Return the names of swarms so that each comes after its predecessors, and else as they stand in the config.

    :param swarms: without circles.
    """
    left, found = list(swarms), list[str]()
    while left:
        ready = next(name for name in left if not set(predecessors(swarms[name])).intersection(left))
        left.remove(ready)
        found.append(ready)
    return found


def _find_circle(before: Mapping[str, list[str]]) -> list[str]:
    """Return swarms of which each comes after the next, from one to itself; nothing if there are none.

    :param before: the predecessors of each; itself among them is told elsewhere.
    """
    try:
        TopologicalSorter({name: [each for each in names if each != name] for name, names in before.items()}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle[::-1]
    return []
