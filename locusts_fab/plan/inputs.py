"""What there is of inputs: files in the folder of inputs, and outputs of other swarms' done tasks as if they were some.

`@stage1/7/out.txt` is the output `out.txt` of task `7` of the swarm `stage1`. What there is of it, its ledger knows.
"""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from locusts_fab.layout import folders_above, input_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locusts_fab.model.findings import Packed


class Origin(NamedTuple):
    """The attempt that made an output.

    :param start_s: when it began, seconds since the epoch.
    :param path: the output on this machine, or the archive that holds it; empty if it is not here.
    :param why: why it is not here.
    :param there: the output on the target where it was made: a path; if it is packed, that in its piece.
    :param packed: the piece of an archive there that holds it, if it is packed.
    """

    task: str
    claim: str
    attempt: int
    start_s: float | None
    path: str
    why: str = ""
    there: str = ""
    packed: Packed | None = None
    is_in_archive: bool = False

    @property
    def stamp(self) -> str:
        """A text that another attempt at the same task does not have."""
        return f"{self.claim} {self.attempt} {self.start_s}"


class Earlier:
    """The outputs of the done tasks of another swarm.

    :param outputs: by `TASK/OUTPUT`.
    :param target: the name of the target where they were made.
    :param root: the environment there.
    """

    def __init__(self, name: str, outputs: Mapping[str, Origin], target: str = "", root: str = "") -> None:
        self.name, self.outputs = name, outputs
        self.target, self.root = target, root

    @cached_property
    def folders(self) -> dict[str, dict[str, None]]:
        """The names in each folder, if outputs lay in folders of their tasks; `""` is the outermost."""
        found: dict[str, dict[str, None]] = {"": {}}
        for name in self.outputs:
            for above, entry in zip(["", *folders_above(name)], name.split("/"), strict=True):
                found.setdefault(above, {})[entry] = None
        return found


class Inputs:
    """What there is of inputs.

    :param indir: the folder of inputs.
    :param earlier: the swarms whose outputs may be inputs, by name.
    """

    def __init__(self, indir: Path, earlier: Mapping[str, Earlier] | None = None) -> None:
        self.indir, self._earlier = indir, earlier or {}
        self._text = str(indir)
        self.list = lru_cache(8)(self._list)  # most templates look into the same folder

    def _list(self, name: str) -> list[str]:
        """Return the names in a folder, relative to that of inputs; none if it is no folder."""
        if (found := self._find(name)) is not None:
            earlier, inner = found
            return list(earlier.folders.get(inner, {}))
        return list_folder(self.indir / name)

    def has(self, name: str) -> bool:
        """Return whether there is an input, or a folder on the way to one; a link to nothing is one, too."""
        if (found := self._find(name)) is not None:
            earlier, inner = found
            return inner in earlier.outputs or inner in earlier.folders
        return os.path.lexists(input_path(self._text, name))

    def is_whole(self, name: str) -> bool:
        """Return whether an input can be used: there is one, and it is no link to nothing."""
        if self._find(name) is not None:
            return self.origin(name) is not None
        return Path(input_path(self._text, name)).exists()

    def origin(self, name: str) -> Origin | None:
        """Return what made an input that is an output of another swarm; None if it is none."""
        found = self._find(name)
        return found[0].outputs.get(found[1]) if found else None

    def root_of(self, name: str) -> str:
        """Return the environment in which an output of another swarm was made; empty if it is none."""
        found = self._find(name)
        return found[0].root if found else ""

    def is_near(self, name: str, target: str, root: str) -> bool:
        """Return whether an output of another swarm was made on a target, in an environment beside another one.

        :param root: the other environment.
        """
        found = self._find(name)
        if found is None or found[0].target != target:
            return False
        return found[0].root.rpartition("/")[0] == root.rpartition("/")[0]

    def _find(self, name: str) -> tuple[Earlier, str] | None:
        """Return the swarm whose outputs a name is about, and the name in there; None if it is about files."""
        if not name.startswith("@"):
            return None
        swarm, _, inner = name[1:].partition("/")
        earlier = self._earlier.get(swarm)
        return None if earlier is None else (earlier, inner.rstrip("/"))


def list_folder(folder: Path) -> list[str]:
    """Return the names in a folder; none if it is no folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]
