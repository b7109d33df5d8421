"""Entries of `inputs` and names of files, beside a reference that knows regular expressions alone."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from locusts_fab.errors import PlanError
from locusts_fab.plan.files import from_inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HANDLES = ("a", "b", "id")
_LITERALS = ["_", "-", ".", "x", "1", "_x", ".x", "[x]*", "é"]
_VALUES = [
    "x",
    "y",
    "1",
    "2",
    "10",
    "x_y",
    "_",
    "-x",
    "x.x",
    ".h",
    "é",
    "\udcff",
    "a b",
    "n\nl",
    "'$x",
    "<a>",
    "xx",
    "01",
]
_HANDLE = re.compile(r"<(\w+)>")


class Case(NamedTuple):
    """Entries of `inputs`, and the names of files that are there."""

    inputs: list[str]
    files: list[str]


class Refused(NamedTuple):
    """The reference's word for inputs that give no tasks."""

    why: str


class Accepted(NamedTuple):
    """What the reference says of inputs that give tasks.

    :param rows: the values of the tasks, in order.
    :param ambiguous: how many names can be read in several ways.
    """

    rows: list[tuple[str, ...]]
    ambiguous: int


@st.composite
def _entries(draw: st.DrawFn, handles: Sequence[str]) -> str:
    """Return an entry that has some handles, each once or twice, in one folder or several."""
    pieces = draw(st.permutations([*handles, *draw(st.lists(st.sampled_from(handles), max_size=1))]))
    text = draw(st.sampled_from(["", "", "x", ".", "_"]))
    for number, handle in enumerate(pieces):
        between = draw(st.sampled_from([*_LITERALS, "/", "/x_", "_x/", "/.", ""])) if number else ""
        text += f"{between}<{handle}>"
    return text + draw(st.sampled_from(["", ".x", "/x", "_"]))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return entries with one to three handles, and files of which many match."""
    handles = HANDLES[: draw(st.integers(1, 3))]
    inputs = [draw(_entries(handles))]
    for _ in range(draw(st.integers(0, 2))):
        some = draw(st.lists(st.sampled_from(handles), unique=True, min_size=1))
        inputs.append(draw(st.one_of(_entries(handles), _entries(some), st.just("all"))))
    few = draw(st.lists(st.sampled_from(_VALUES), min_size=1, max_size=4, unique=True))
    files = draw(st.lists(st.sampled_from([*_VALUES, "all", "x/x", ".x/x_x.x"]), max_size=3))
    for _ in range(draw(st.integers(1, 5))):
        values = {handle: draw(st.sampled_from(few)) for handle in handles}
        left_out = draw(st.sampled_from([None, None, None, *inputs]))
        files += [_fill(text, values) for text in inputs if text != left_out]
    return Case(inputs, files)


def check(case: Case) -> bool:
    """See that a case gives the tasks that the reference says, and return whether it gives any."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in case.files:
            with contextlib.suppress(OSError):  # another is a folder where this needs a file
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).touch()
        expected = _refer(folder, case.inputs)
        error = source = None
        try:
            source = from_inputs(folder, case.inputs)
        except PlanError as caught:
            error = caught
    if source is None or isinstance(expected, Refused):
        assert error is not None, f"{case}: {expected}"
        assert isinstance(expected, Refused), f"{case}: {error}, but {expected}"
        assert expected.why in error.message, f"{case}: {error}, but {expected}"
        return False
    rows = [tuple(value for _, value in source.own(index)) for index in range(len(source.ids))]
    assert rows == expected.rows, case
    assert source.ids == ["_".join(row) for row in rows]
    told = sum(int(warning.split()[1]) for warning in source.warnings)
    assert told == expected.ambiguous, f"{case}: {source.warnings}"
    return True


def _refer(folder: Path, inputs: Sequence[str]) -> Refused | Accepted:
    paths = [
        os.path.relpath(f"{above}/{name}", folder)
        for above, folders, files in os.walk(folder)
        for name in (*folders, *files)
    ]
    handles = {text: list(dict.fromkeys(_HANDLE.findall(text))) for text in inputs}
    every = max(handles.values(), key=len)
    whole = [text for text in inputs if len(handles[text]) == len(every) and not _runs_together(text)]
    if not whole:
        return Refused("nothing stands between")
    if any(not each and not (folder / text).exists() for text, each in handles.items()):
        return Refused("there is no such file")
    names = handles[whole[0]]
    found = {
        text: {tuple(match[name] for name in names) for path in paths if (match := _match(text, path))}
        for text in whole
    }
    rows = set().union(*found.values())
    if not rows:
        return Refused("no file in")
    for row in rows:
        values = dict(zip(names, row, strict=True))
        for text in inputs:
            there = row in found[text] if text in found else os.path.lexists(folder / _fill(text, values))
            if handles[text] and not there:
                return Refused("lack an input")
    ambiguous = sum(
        len(set(_readings(_pieces(text), path, {}))) > 1 for text in whole for path in paths if _match(text, path)
    )
    return Accepted(sorted(rows, key=lambda row: _key(rows, row)), ambiguous)


def _fill(text: str, values: dict[str, str]) -> str:
    return _HANDLE.sub(lambda found: values[found[1]], text)


def _pieces(text: str) -> list[str]:
    """Return literal texts and handles by turns."""
    return _HANDLE.split(text)


def _runs_together(text: str) -> bool:
    pieces, known = _pieces(text), set()
    for at in range(1, len(pieces), 2):
        is_after_new = at > 1 and not pieces[at - 1] and pieces[at - 2] not in known
        known |= {pieces[at - 2]} if at > 1 else set()
        if is_after_new and pieces[at] not in known:
            return True
    return False


def _match(text: str, path: str) -> re.Match[str] | None:
    """Return how an entry matches a path, hidden parts only where it has the dot."""
    pattern, known = "", set()
    for at, piece in enumerate(_pieces(text)):
        pattern += re.escape(piece) if at % 2 == 0 else f"(?P={piece})" if piece in known else f"(?P<{piece}>[^/]+)"
        known |= {piece} if at % 2 else set()
    for part, name in zip(text.split("/"), path.split("/"), strict=False):
        if name.startswith(".") and not part.startswith("."):
            return None
    return re.fullmatch(pattern, path, re.DOTALL)


def _readings(pieces: Sequence[str], path: str, values: dict[str, str]) -> Iterable[tuple[tuple[str, str], ...]]:
    """Yield every way in which literal texts and handles by turns make a path."""
    literal, *rest = pieces
    if not path.startswith(literal):
        return
    path = path[len(literal) :]
    if not rest:
        if not path:
            yield tuple(sorted(values.items()))
        return
    handle, *after = rest
    for end in range(1, len(path.split("/")[0]) + 1):
        if values.get(handle, path[:end]) == path[:end]:
            yield from _readings(after, path[end:], {**values, handle: path[:end]})


def _key(rows: Iterable[tuple[str, ...]], row: tuple[str, ...]) -> list[tuple[Decimal, str]]:
    numbers = [
        all(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) for value in column) for column in zip(*rows, strict=True)
    ]
    return [(Decimal(value if is_number else 0), value) for value, is_number in zip(row, numbers, strict=True)]
