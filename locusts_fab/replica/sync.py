"""Stage the replica of a custom environment, and bring back into the local tree what tasks have changed in it.

What was changed on both sides is never overwritten: the local file stays, and the other is put beside it. Nothing is
written through a symlink of the local tree, and no symlink that points out of it is made.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError, TransferError
from locusts_fab.replica.manifest import (
    Agreed,
    agree,
    changes_since_staging,
    format_changes,
    format_table,
    is_ours_untouched,
    local_root,
    mark_of,
    news_of_tree,
    parse_scan,
    parse_table,
    select_replica,
)
from locusts_fab.shell.scripts import remote_script
from locusts_fab.transfer.base import TREE, fresh_folder
from locusts_fab.transfer.stage import remove, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.operations.session import Session
    from locusts_fab.progress import Silent
    from locusts_fab.replica.manifest import Change, Mark
    from locusts_fab.replica.walk import Selection
    from locusts_fab.ui.screen import Screen


def is_in_place(swarm: Swarm) -> bool:
    """Tell whether tasks run in the local tree itself."""
    return swarm.target.mode == "local" and swarm.settings.in_place


def tree_dir(swarm: Swarm, environment_dir: str) -> str:
    """Tell where the tree is on the target."""
    return str(local_root(swarm)) if is_in_place(swarm) else f"{environment_dir}/{TREE}"


#: Where the environment keeps a copy of the table.
_TABLE_THERE = "exec/replica.tsv"


def _table_path(swarm: Swarm) -> Path:
    return swarm.state_dir / "replica.tsv"


def read_table(swarm: Swarm) -> dict[str, Agreed]:
    """Read what both sides held when they last agreed; nothing if they never did."""
    try:
        return parse_table(_table_path(swarm).read_bytes())
    except FileNotFoundError:
        return {}


def forget_table(swarm: Swarm) -> None:
    """Forget it, because the replica is to be made anew."""
    _table_path(swarm).unlink(missing_ok=True)


def scan(session: Session) -> dict[str, Mark]:
    """List the tree on the target.

    :raises HostError: it cannot be listed.
    """
    folder = tree_dir(session.swarm, session.site.environment.root)
    result = session.site.host.run(remote_script("scan_tree"), folder, *_own_names(session.swarm, folder))
    if result.exit_status != 0:
        raise HostError(
            f"{session.site.host.name}: the tree {folder} cannot be listed:\n{result.stderr.strip()}",
            hint="see that GNU find is there and that all of the tree can be read",
            stderr=result.stderr,
        )
    return parse_scan(result.stdout)


def _own_names(swarm: Swarm, folder: str) -> list[str]:
    """Name what of ours may lie in a tree that tasks run in: our state, and the results."""
    own = [swarm.folder / ".locusts", swarm.outdir]
    return [os.path.relpath(path, folder) for path in own if path.is_relative_to(folder)]


# ---------------------------------------------------------------------------------------------------------------------
# There


def stage_replica(session: Session, screen: Screen | Silent) -> list[str]:
    """Bring the selected part of the local tree to the target, and note what is there then.

    If a replica is there already, only what changed here since then goes, and nothing that changed there as well.

    :returns: notes for a person.
    :raises TransferError: something did not arrive; to stage again carries on.
    """
    swarm = session.swarm
    root = local_root(swarm)
    selection = select_replica(swarm)
    notes = [*selection.unmatched, *(f"{name}: neither file, folder nor link; left out" for name in selection.skipped)]
    table = read_table(swarm)
    ours = {name: mark_of(root / name) for name in _names(selection)}
    if is_in_place(swarm):
        if not table:
            theirs = scan(session)
            _write_table(session, {path: Agreed(mark, mark, mark) for path, mark in theirs.items()})
        return notes
    before = scan(session) if table else {}
    send = []
    for name, mark in ours.items():
        if not is_ours_untouched(table.get(name), mark) or name not in table:
            if name in table and table[name].theirs != before.get(name):
                notes.append(f"{name} was changed both here and there; it stays as it is on both sides")
            else:
                send.append(name)
    session.site.files.send_tree(root, send, screen)
    after = scan(session)
    for name in send:
        table[name] = Agreed(after.get(name), after.get(name), ours[name])
    _write_table(session, table)
    return notes


def _names(selection: Selection) -> list[str]:
    return [*selection.folders, *selection.files, *selection.links]


def _write_table(session: Session, table: dict[str, Agreed]) -> None:
    """Keep what both sides held, here and in the environment, so that `attach` finds it."""
    data = format_table(table)
    write_whole(_table_path(session.swarm), data)
    session.site.files.write(_TABLE_THERE, data)


def recall_table(session: Session) -> None:
    """Take what both sides held from the environment, when it was lost here."""
    data = session.site.files.read(_TABLE_THERE)
    if data is not None:
        write_whole(_table_path(session.swarm), data)


def has_news(session: Session) -> bool:
    """Tell whether tasks have changed something in the replica that has not come home."""
    if is_in_place(session.swarm) or not read_table(session.swarm):
        return False
    return bool(news_of_tree(read_table(session.swarm), scan(session))[0])


# ---------------------------------------------------------------------------------------------------------------------
# Back


@dataclass
class Brought:
    """What bringing back a tree came to.

    :param changes: all that tasks have done to it since it was staged.
    :param moved: paths that came now.
    :param notes: what a person should know, a line each.
    """

    changes: list[Change]
    moved: int
    notes: list[str]


def bring_back(session: Session, screen: Screen | Silent, *, apply_removals: bool) -> Brought:
    """Bring what tasks created and changed into the local tree, and write modified.tsv.

    :param apply_removals: also remove here what they removed there.
    :raises TransferError: something did not arrive; to collect again carries on.
    """
    swarm = session.swarm
    table, theirs = read_table(swarm), scan(session)
    work = _Homecoming(swarm, table, theirs)
    if not is_in_place(swarm):
        fresh, gone = news_of_tree(table, theirs)
        work.take(session, fresh, screen)
        work.drop(gone, apply=apply_removals)
        _write_table(session, table)
    changes = changes_since_staging(table, theirs)
    swarm.outdir.mkdir(parents=True, exist_ok=True)
    write_whole(swarm.outdir / "modified.tsv", format_changes(changes))
    return Brought(changes, work.moved, work.notes)


class _Homecoming:
    """The work of bringing back one tree; `table` is kept in step with what has come."""

    def __init__(self, swarm: Swarm, table: dict[str, Agreed], theirs: dict[str, Mark]) -> None:
        self.swarm, self.table, self.theirs = swarm, table, theirs
        self.root = local_root(swarm)
        self.suffix = f".from-{swarm.target_name}"
        self.notes: list[str] = []
        self.moved = 0

    def take(self, session: Session, fresh: list[str], screen: Screen | Silent) -> None:
        """Bring what is new or other there."""
        files = [path for path in fresh if self.theirs[path].kind == "f"]
        with fresh_folder(self.swarm.state_dir, "incoming-tree-") as folder:
            if files:
                session.site.files.fetch_tree(files, folder, screen)
            for path in fresh:
                self._place(path, folder / path)

    def _place(self, path: str, source: Path) -> None:
        """Put one entry of the tree in its place, or beside it."""
        known, mark, place = self.table.get(path), self.theirs[path], self.root / path
        if mark.kind == "f" and mark_of(source) is None:
            self.notes.append(f"{path} did not come; it may have changed while it was fetched")
            return
        if not self._is_inside(path) or (mark.kind == "l" and not self._stays_inside(path, mark.link)):
            self.notes.append(f"{path} would lead out of the tree through a symlink; it was left there")
            self.table[path] = agree(known, mark, known.ours if known else None)
            return
        now = mark_of(place)
        if mark.kind == "d":
            if now is None:
                place.mkdir(parents=True, exist_ok=True)
            elif now.kind != "d":
                self.notes.append(f"{path} is a folder there and none here; what is in it was left there")
                self.table[path] = agree(known, mark, now)
                return
        elif not is_ours_untouched(known, now) and now != (mark if mark.kind == "l" else None):
            place = place.with_name(place.name + self.suffix)
            self.notes.append(f"{path} was changed here and there; what is there is now in {place.name}")
            self._put(mark, source, place)
            self.table[path] = agree(known, mark, now, is_contested=True)
            return
        else:
            self._put(mark, source, place)
        self.moved += mark.kind != "d"
        self.table[path] = agree(known, mark, mark_of(place))

    def _put(self, mark: Mark, source: Path, place: Path) -> None:
        """Make a file or a symlink, whole or not at all."""
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".locusts-part-{os.getpid()}")
        try:
            remove(part)
            if mark.kind == "l":
                part.symlink_to(mark.link)
            else:
                shutil.copyfile(source, part)
                part.chmod(mark.mode & 0o777)
                os.utime(part, ns=(mark.mtime_ns, mark.mtime_ns))
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            part.replace(place)
        except OSError as error:
            raise TransferError(
                f"{place} cannot be written: {error}", hint="mend the cause and collect again"
            ) from error

    def drop(self, gone: list[str], *, apply: bool) -> None:
        """Remove here what was removed there, if that is wished and nobody changed it here."""
        for path in gone:
            known, place = self.table[path], self.root / path
            now = mark_of(place)
            if not apply:
                continue
            if not self._is_inside(path) or not is_ours_untouched(known, now):
                self.notes.append(f"{path} was removed there and changed here; it stays")
                self.table[path] = replace(known, is_contested=True)
            elif now is not None:
                if now.kind == "d":
                    if any(place.iterdir()):
                        continue  # something here is in it that never was there
                    place.rmdir()
                else:
                    place.unlink()
                self.table[path] = agree(known, None, None)

    def _is_inside(self, path: str) -> bool:
        """Tell whether no folder on the way to a path is a symlink."""
        parents = list((self.root / path).parents)
        inner = parents[: parents.index(self.root)]
        return not any(parent.is_symlink() for parent in inner)

    def _stays_inside(self, path: str, link: str) -> bool:
        """Tell whether a symlink at a path leads to somewhere in the tree."""
        if link.startswith("/"):
            return False
        target = os.path.normpath(os.path.join(os.path.dirname(path), link))  # noqa: PTH118, PTH120 - plain text
        return target != ".." and not target.startswith("../")
