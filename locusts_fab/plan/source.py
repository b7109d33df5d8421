"""What every kind of config comes to: a set of tasks, before commands and names are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locusts_fab.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from locusts_fab.model.tasks import Values

#: Numbers that serve as ids are padded to this width; only where they outgrow it, they get more digits.
ID_WIDTH = 6


@dataclass
class Source:
    """A set of tasks, before commands and names are made of it.

    :param ids: the ids, in order.
    :param handles: the names that every task has a value for.
    :param values: a function from the place of a task in `ids` to its values; without `id` where that is its id alone.
    :param own: a function from the same to the values that make it the task that it is.
    :param commands: with a command file, the command of each task.
    :param aliases: other names of handles, such as `arg0`, and the names that `own` gives them.
    :param is_numbered: the ids are numbers that nothing but the order gives; see numbers.py.
    :param has_own_id: `<id>` has a value of its own, whatever the ids: a part of a file name, or a column.
    :param factors: if these are tasks of every file with every row: the files, and the rows; see product.py.
    :param seen_inputs: the entries of `inputs` that are known to be there for every task.
    """

    ids: list[str]
    handles: frozenset[str]
    values: Callable[[int], dict[str, str]]
    own: Callable[[int], Values]
    commands: Sequence[str] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    is_numbered: bool = False
    has_own_id: bool = False
    seen_inputs: frozenset[str] = frozenset()
    factors: tuple[Source, Source] | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def is_from_files(self) -> bool:
        """Whether the names of inputs gave the tasks, or have a part in them."""
        return bool(self.seen_inputs)

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield each id and its values, in order."""
        for index, task_id in enumerate(self.ids):
            yield task_id, self.values(index)


def number_id(number: int) -> str:
    """Return the id of a task that has no name but a number."""
    return f"{number:0{ID_WIDTH}d}"


def first_numbers(count: int) -> list[str]:
    """Return the numbers from 1 on as ids."""
    return list(map(number_id, range(1, count + 1)))


def read_text(path: Path, where: str) -> str:
    """Return the text of a file of any bytes, without a byte order mark and the carriage returns of Windows.

    :param where: the name of the file in messages.
    :raises PlanError: it cannot be read, or is no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(
            f"{where}: {path} cannot be read: {error.strerror}", hint="fix its path in the config"
        ) from error
    if b"\0" in data:
        is_utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        raise PlanError(
            f"{where}: {path} {'is in UTF-16' if is_utf_16 else 'holds a NUL byte, so it is no text file'}",
            hint="save it as text in UTF-8" if is_utf_16 else "see that the config names the right file",
        )
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
