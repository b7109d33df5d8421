"""The check whether two machines mean the same folder: one leaves a file, the other reads it and answers there."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locusts_fab.errors import ExitStatus, LocustsError
from locusts_fab.fs import remove_tree
from locusts_fab.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.preflight.probe import Seen
    from locusts_fab.target import Access


@dataclass(frozen=True)
class SharedFolderProbe:
    """The file that this machine left in the shared folder for the other to read and answer.

    :param folder: the folder that it is in; None if there is no shared folder, or it could not be left there.
    :param name: of that folder, below the root; empty if there is none.
    :param text: what is in it.
    :param complaint: why it could not be left there.
    """

    folder: Path | None = None
    name: str = ""
    text: str = ""
    complaint: str = ""

    def answer(self) -> str:
        """Return what the other machine wrote beside it; empty if that cannot be read."""
        try:
            return "" if self.folder is None else (self.folder / "there").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


@contextlib.contextmanager
def probe_shared_folder(mounted: Path | None) -> Iterator[SharedFolderProbe]:
    """Leave a file in the shared folder, if there is one, and yield it; all that was made for it is removed later."""
    if mounted is None:
        yield SharedFolderProbe()
        return
    made: list[Path] = []
    name = f".locusts-check-{secrets.token_hex(8)}"
    folder, text = mounted / name, secrets.token_hex(8)
    try:
        try:
            made.extend(folder for folder in (mounted, *mounted.parents) if not folder.exists())
            mounted.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
            (folder / "here").write_text(text, encoding="ascii")
        except OSError as error:
            yield SharedFolderProbe(complaint=error.strerror or str(error))
        else:
            yield SharedFolderProbe(folder, name, text)
    finally:
        with contextlib.suppress(LocustsError):  # that it cannot be removed does not answer the question
            remove_tree(folder)
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()


def judge_shared_folder(
    swarm: Swarm, access: Access, seen: Seen, probe: SharedFolderProbe, answer: str
) -> Iterator[Finding]:
    """Yield the finding whether the two machines mean the same folder, and may read what the other writes in it."""
    if access.mounted is None:
        return
    what, status, host = "shared folder", ExitStatus.CONNECTION, access.host.name
    if probe.folder is None:
        advice = "mount it here, or fix shared_root in the config"
        yield Finding(what, "error", f"{access.mounted} cannot be written here: {probe.complaint}", advice, status)
    elif "shared" not in seen.facts:
        root = seen.facts.get("root", swarm.root)
        found = f"what is written to {access.mounted} here is not seen in {root} on {host}"
        yield Finding(what, "error", found, "root and shared_root must be one folder, of one user", status)
    elif answer != probe.text:
        found = f"what {host} writes there cannot be read here, in {access.mounted}"
        yield Finding(what, "error", found, "both machines must know you as the same user", status)
    else:
        yield Finding(what, "ok", f"{access.mounted} is the root as this machine sees it")
