"""The protocol of every way for files to travel between this machine and an environment.

There are two: `mounted.py`, where the environment is a folder of this machine or one that it mounts, and `ssh.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from locusts_fab.bounds.budget import Most
    from locusts_fab.config.swarm import Swarm
    from locusts_fab.fs import Span
    from locusts_fab.layout import Environment
    from locusts_fab.model.findings import Fetched, Packed
    from locusts_fab.model.tasks import Chunk, PlannedTask
    from locusts_fab.progress import Silent
    from locusts_fab.ui.screen import Screen


class Transfer(Protocol):
    """A way for files to travel between this machine and an environment."""

    @property
    def environment(self) -> Environment:
        """The environment, as seen by what moves the files."""

    @property
    def is_linking(self) -> bool:
        """Whether inputs are not copied there: they are links to files of this machine, which have to stay."""

    def stage(
        self,
        swarm: Swarm,
        tasks: Callable[[], Iterable[PlannedTask]],
        chunks: Iterable[Chunk],
        scripts: Mapping[str, str],
        screen: Screen | Silent,
    ) -> dict[str, str]:
        """Put the plan, the inputs, the shared files and the scripts in place.

        :param tasks: a function that returns the tasks, each time that it is called.
        :param scripts: by their paths in the environment.
        :returns: what of inputs and shared files was left out, and why; see `Follow`.
        :raises TransferError: something did not arrive; staging again carries on.
        """

    def fetched(self, names: Sequence[str], screen: Screen | Silent) -> AbstractContextManager[Fetched]:
        """Make files and folders of the environment reachable on this machine, within.

        :param names: relative to the environment.
        :raises TransferError: they cannot be fetched; what is not there is no error.
        """

    def pieces(
        self, wanted: Collection[Packed], screen: Screen | Silent
    ) -> AbstractContextManager[Mapping[Packed, Span | str]]:
        """Make pieces of archives readable on this machine, within.

        :returns: each as it can be read, at its beginning; or why it is not there as the records say.
        :raises TransferError: they cannot be fetched.
        """

    def send_tree(
        self, root: Path, names: list[str], screen: Screen | Silent, alike: Collection[str] = frozenset()
    ) -> None:
        """Send entries of a local tree to the replica; folders come empty, symlinks as symlinks.

        :param alike: those of them that hold something else than what is there, with the same size and second.
        :raises TransferError: something did not arrive.
        """

    def fetch_tree(self, names: list[str], folder: Path, screen: Screen | Silent) -> None:
        """Bring files of the replica into a local folder, except what has gone or is no file.

        :raises TransferError: not all came; those that are in the folder are whole.
        """

    def read(self, path: str, most: Most) -> bytes | None:
        """Return the content of a file of the environment; None if no file is there, for certain.

        :raises TransferError: it cannot be read, or it cannot be seen whether it is there.
        :raises HostError: it has more than can be right.
        """

    def read_end(self, path: str, most: int) -> tuple[bytes, int] | None:
        """Return the end of a file of the environment, and how many bytes are before it; None if no file is there.

        :param most: how many bytes of it.
        :raises TransferError: as `read`.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write a file of the environment.

        :raises TransferError: it cannot be written.
        """
