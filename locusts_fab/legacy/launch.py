"""`launch` of the original `locusts.swarm`: the same keywords, and the whole job in one call.

Its arguments are made into the tables of a locusts.toml, checked as a config is, and run by the same operations. So
with a locusts.toml that `locusts convert` made, the commands find a launched swarm in the current folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locusts_fab.config.schema import NAME, NAME_RULE
from locusts_fab.config.swarm import Swarm
from locusts_fab.config.tables import make_config
from locusts_fab.errors import ConfigError
from locusts_fab.legacy.parfile import Parameters, read_parameters
from locusts_fab.operations.collect import collect
from locusts_fab.operations.submit import submit
from locusts_fab.ui.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from locusts_fab.config.schema import SwarmSettings, Target
    from locusts_fab.operations.collect import Collected

    AnyPath = str | os.PathLike[str]

#: The names that the keys of a swarm have in `launch`.
LAUNCH_NAMES = {
    "command": "cmd",
    "indir": "indir",
    "outdir": "outdir",
    "inputs": "spcins",
    "outputs": "outs",
    "shared": "shdins",
    "args": "args",
    "root": "envroot",
    "tree": "envfs",
}
_WHO = "launch"


def launch(
    indir: AnyPath | None = None,
    outdir: AnyPath | None = None,
    code: str | None = None,
    spcins: Sequence[str] | None = None,
    shdins: Sequence[str] | None = None,
    locdir: AnyPath | None = None,
    outs: Sequence[str] | None = None,
    cmd: str | None = None,
    args: Sequence[Sequence[str | float]] | None = None,
    envroot: AnyPath | None = None,
    envfs: AnyPath | None = None,
    parf: AnyPath | None = None,
) -> Collected:
    """Submit, watch and collect, and return the result; progress goes to standard error.

    Paths are relative to the current folder. The same call again carries on: done tasks stay done, failed ones run
    again; `force_redo True` in the parameter file runs all of them, `only_gather True` brings back what is done.

    :param indir: folder of the inputs.
    :param outdir: folder for what comes back.
    :param code: name of the swarm.
    :param spcins: inputs of each task, such as `in_<id>.txt`.
    :param shdins: files that all tasks read, as `key:file`; `<shared>key` in `cmd` is the path.
    :param locdir: custom environment: folder for the list of what was modified.
    :param outs: outputs of each task, such as `out_<id>.txt`.
    :param cmd: command template; `<arg0>` goes in as it is, `<id>` quoted.
    :param args: a task for each row of values, `<arg0>`, `<arg1>`, …
    :param envroot: custom environment: the local tree.
    :param envfs: custom environment: the tree file that says which part of it.
    :param parf: the parameter file; without it the tasks run on this machine, as many at a time as there are cores.
    :returns: what came now, where it is, and the status after it.
    :raises ConfigError: with all that is wrong in the arguments and in the parameter file.
    :raises LocustsError: it could not be done; the same call again carries on.
    """
    files = {"indir": indir, "outdir": outdir, "spcins": spcins, "shdins": shdins, "locdir": locdir, "outs": outs}
    given: dict[str, Any] = {**files, "cmd": cmd, "args": args, "envroot": envroot, "envfs": envfs}
    swarm, parameters, notes = _understand(code, given, parf)
    screen = Screen()
    for note in notes:
        screen.note(note)
    waits = parameters is None or not parameters.only_gathers
    if waits:
        redo = parameters is not None and parameters.redoes
        for note in submit(swarm, redo=redo, retry=True, screen=screen).notes:
            screen.note(note)
    try:
        collected = collect(swarm, wait=waits, screen=screen)
    except KeyboardInterrupt:
        screen.note(f"swarm {swarm.name} goes on by itself; the same call carries on")
        raise
    for line in (collected.status.summary, *collected.status.notes):
        screen.note(line)
    screen.note(f"results are in {collected.results.outdir}")
    return collected


def _understand(
    code: str | None, given: dict[str, Any], parf: AnyPath | None
) -> tuple[Swarm, Parameters | None, list[str]]:
    """Return the swarm that the arguments of `launch` mean.

    :returns: the swarm, the parameters if there are any, and notes for a person.
    :raises ConfigError: with all that is wrong.
    """
    parameters, problems = None, []
    if parf is not None:
        try:
            parameters = read_parameters(os.fspath(parf))
        except ConfigError as error:
            problems += [f"{error.path}: {problem}" for problem in error.problems]
    table, own_problems, notes = swarm_table(given)
    settings, target = check(code, table, parameters, [*problems, *own_problems])
    target_name = parameters.target_name if parameters else "here"
    swarm = Swarm(code or "", settings, target_name, target, Path.cwd())
    return swarm, parameters, [*(parameters.notes if parameters else []), *notes]


def check(
    code: str | None, table: dict[str, Any], parameters: Parameters | None, problems: Sequence[str] = ()
) -> tuple[SwarmSettings, Target]:
    """Return the arguments of `launch` and the parameters, checked as a config is.

    :param table: what `swarm_table` made of the arguments.
    :param problems: what is known to be wrong already.
    :returns: the swarm's settings and its target.
    :raises ConfigError: with all that is wrong, in the words of `launch` and of the parameter file.
    """
    found, named = list(problems), {problem.partition(":")[0] for problem in problems}
    if code is None or not NAME.fullmatch(code):
        written = f"{code[:100]!r} cannot name a swarm" if code else "missing"
        found.insert(0, f"code: {written}; {NAME_RULE}")
    targets = {parameters.target_name: parameters.target} if parameters else {"here": {"mode": "local"}}
    try:
        config = make_config(_WHO, {"targets": targets, "swarms": {"s": table}})
    except ConfigError as error:
        for problem in error.problems:
            if problem.startswith("targets.") and parameters is not None:
                found.append(f"{parameters.path}: {parameters.blame(problem)}")
            elif not (
                problems and problem.startswith("swarms.s: ")
            ):  # what makes tasks; `swarm_table` has better words
                blamed = _blame(problem.removeprefix("swarms.s").lstrip(".: "))
                found += [blamed] if blamed.partition(":")[0] not in named else []
    if found:
        raise ConfigError(_WHO, found)
    return config.swarms["s"], next(iter(config.targets.values()))


def _blame(problem: str) -> str:
    """Return a problem with a key of the swarm in the words of `launch`."""
    where, colon, what = problem.partition(":")
    key = re.split(r"[.\[]", where, maxsplit=1)[0]
    return f"{LAUNCH_NAMES.get(key, key)}{where[len(key) :]}{colon}{what}" if colon else problem


def swarm_table(given: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the arguments of `launch` as a table `[swarms.NAME]`.

    :returns: the table, what is wrong with the arguments, and notes for a person.
    """
    given = {name: _plain(value) for name, value in given.items() if value}
    table = {key: given[name] for key, name in LAUNCH_NAMES.items() if name in given and name != "shdins"}
    table["strict"] = False  # the original ran commands so, and they rely on it
    is_custom = "envroot" in given or "envfs" in given
    notes = []
    if isinstance(given.get("cmd"), str):
        # the original put arguments in unquoted, so scripts rely on them as shell text
        table["command"] = re.sub(r"(?<!\\)<(arg[0-9]+)>", r"<\1:raw>", given["cmd"])
    shared, problems = _parse_shared(given.get("shdins", []))
    if shared:
        table["shared"] = shared
    if is_custom:
        table["environment"] = "custom"
        if "outdir" not in given and "locdir" in given:
            table["outdir"] = given["locdir"]
    elif "locdir" in given:
        notes.append("locdir has no meaning without envroot: the state is kept in .locusts, in the current folder")
    return table, [*_missing(given.keys(), is_custom=is_custom), *problems], notes


def _missing(given: Collection[str], *, is_custom: bool) -> list[str]:
    """Return a problem for each argument that is needed and not given."""
    problems = []
    if "cmd" not in given:
        problems.append("cmd: missing; it is the command template")
    if is_custom and "args" not in given:
        problems.append("args: missing; with envroot, a row of values makes each task")
    if is_custom:
        return problems
    if "spcins" not in given and "args" not in given:
        problems.append("spcins: missing; give names of inputs with <id> in them, or args")
    if "spcins" in given and "indir" not in given:
        problems.append("indir: missing; it is the folder of the inputs")
    if "outdir" not in given:
        problems.append("outdir: missing; it is the folder for what comes back")
    return problems


def _plain(value: Any) -> Any:
    """Return tuples as lists and paths as texts, for the config takes no others."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _parse_shared(entries: Any) -> tuple[dict[str, str], list[str]]:
    """Return the shared files that `key:file` entries mean.

    :returns: the files by key, and what is wrong.
    """
    shared: dict[str, str] = {}
    problems = []
    if not isinstance(entries, list):
        return {}, ["shdins: expected a list of key:file"]
    for index, entry in enumerate(entries):
        key, colon, path = entry.partition(":") if isinstance(entry, str) else ("", "", "")
        if not (key and colon and path):
            problems.append(f"shdins[{index}]: expected key:file; found {entry!r}")
        elif re.search(r"<(id|arg[0-9]+)>", entry):
            problems.append(f"shdins[{index}]: {entry}: a shared file is the same for all tasks; use spcins")
        elif key in shared:
            problems.append(f"shdins[{index}]: the key {key} stands there twice")
        else:
            shared[key] = path
    return shared, problems
