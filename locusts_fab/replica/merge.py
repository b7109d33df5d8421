"""Bring back into the local tree what tasks have changed in its replica.

What was changed on both sides is never overwritten: the local file stays, and the other is put beside it. Nothing is
written through a symlink of the local tree, and no symlink that points out of it is made. An entry that cannot be
written keeps no other from being brought back.
"""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import os
import re
import shutil
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.inside import PERMISSIONS, Inside, umask
from locusts_fab.bounds.names import Name
from locusts_fab.errors import HostError, TransferError
from locusts_fab.fs import fresh_folder, write_whole
from locusts_fab.outputs import stays_inside
from locusts_fab.replica.manifest import (
    Agreed,
    agree,
    changes_since_staging,
    format_changes,
    is_ours_untouched,
    mark_of,
    news_of_tree,
)
from locusts_fab.replica.sync import save_manifest, scan, send_manifest, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.progress import Silent
    from locusts_fab.replica.manifest import Change, Mark
    from locusts_fab.target import Site
    from locusts_fab.ui.screen import Screen

#: So many of the entries that could not be written are named.
_SHOWN = 5
#: A tree comes back in parts of so many entries, of more if that made too many parts; or of so many bytes.
PART_ENTRIES = 1_000
MOST_PARTS = 20
PART_BYTES = 1 << 30
#: Where version control keeps what it runs by itself, such as `.git/hooks`; some file systems know no capital letters.
_VERSION_CONTROL = re.compile(r"(^|/)(\.(git|hg|svn|bzr|jj)|_darcs|cvs)(/|$)", re.IGNORECASE)


@dataclass
class Brought:
    """What bringing back a tree came to.

    :param changes: all that tasks have done to it since it was staged.
    :param moved: the number of files and symlinks that came now.
    :param notes: what the user should know, a line each.
    """

    changes: list[Change]
    moved: int
    notes: list[str]


def bring_back(
    swarm: Swarm,
    site: Site,
    manifest: dict[str, Agreed],
    screen: Screen | Silent,
    *,
    apply_removals: bool,
    writes_list: bool = True,
) -> Brought:
    """Bring what tasks created and changed into the local tree, and write modified.tsv.

    :param manifest: what both sides last agreed on; it is kept in step, and saved.
    :param screen: where to show progress.
    :param apply_removals: also remove here what tasks removed there.
    :param writes_list: whether modified.tsv is to be written.
    :returns: what was brought, and what the user should know.
    :raises HostError: the tree on the target cannot be listed.
    :raises TransferError: something did not arrive, while all else did; to collect again carries on.
    """
    theirs = scan(swarm, site, len(manifest))
    merge = _TreeMerge(swarm, manifest, theirs, site.host.name)
    if not swarm.is_in_place:
        fresh, gone = news_of_tree(manifest, theirs)
        try:
            for part in merge.parts(fresh):
                merge.bring(site, part, screen)
                save_manifest(swarm, manifest)  # what has come so far is not fetched again, whatever happens next
            merge.remove(gone, apply=apply_removals)
        finally:
            save_manifest(swarm, manifest)
        if merge.fault is None:  # else the target may be out of reach; an older copy there does no harm
            send_manifest(site, manifest)
    changes = changes_since_staging(manifest, theirs)
    if writes_list:
        with written(swarm.outdir / "modified.tsv"):
            swarm.outdir.mkdir(parents=True, exist_ok=True)
            write_whole(swarm.outdir / "modified.tsv", format_changes(changes), mode=0o666)
    merge.raise_failures()
    return Brought(changes, merge.moved, merge.notes)


class _TreeMerge:
    """The merge of one replica into its local tree; the manifest is kept in step with what has come.

    :ivar notes: what the user should know, a line each.
    :ivar failures: what could not be written here, a line each.
    :ivar fault: why not all files could be fetched; the first reason, if there are several.
    :ivar moved: the number of files and symlinks that were brought.
    """

    def __init__(self, swarm: Swarm, manifest: dict[str, Agreed], theirs: dict[str, Mark], host: str) -> None:
        self.root, self._host = swarm.local_tree, host
        self.notes: list[str] = []
        self.failures: list[str] = []
        self.fault: HostError | None = None
        self.moved = 0
        self._is_cut_off = False
        self._state_dir = swarm.state_dir
        self._manifest, self._theirs = manifest, theirs
        self._sides = _Comparison(self.root, manifest, theirs, f".from-{swarm.target_name}")

    def parts(self, fresh: list[str]) -> Iterator[list[str]]:
        """Yield what is to be brought in parts, as long as the target can be reached."""
        free = self._leave_blocked(fresh)
        most = max(PART_ENTRIES, len(free) // MOST_PARTS)
        part: list[str] = []
        size = 0
        for path in free:
            part.append(path)
            size += self._theirs[path].size
            if len(part) == most or size >= PART_BYTES:
                yield part
                part, size = [], 0
                if self._is_cut_off:
                    return
        if part:
            yield part

    def bring(self, site: Site, paths: list[str], screen: Screen | Silent) -> None:
        """Bring what is new or other there; an entry that cannot be brought holds up no other."""
        files = [path for path in paths if self._theirs[path].kind == "f"]
        with fresh_folder(self._state_dir, "incoming-tree-") as folder:
            if files:
                try:
                    site.transfer.fetch_tree(files, folder, screen)
                except HostError as error:  # what came all the same is put in its place
                    self.fault = self.fault or error
                    has_come = any(map(os.path.lexists, (folder / path for path in files)))
                    self._is_cut_off = not isinstance(error, TransferError) or not (has_come or len(files) == 1)
            for path in paths:
                with self._each_by_itself(path):
                    self._bring_entry(path, folder / path)

    def remove(self, gone: list[str], *, apply: bool) -> None:
        """Remove here what was removed there, if that is wished and nobody changed it here."""
        for path in gone:
            with self._each_by_itself(path):
                self._remove_entry(path, apply=apply)

    def raise_failures(self) -> None:
        """Raise what kept entries from being brought back, if anything did.

        :raises TransferError: something did not come. It holds the notes as well: no later collect repeats them.
        """
        more = len(self.failures) - _SHOWN
        lines = [*self.failures[:_SHOWN], *([f"and {more} more like these"] if more > 0 else [])]
        hint, stderr = "fix the cause and collect again", ""
        if self.fault is not None:
            lines.append(self.fault.message)
            hint, stderr = self.fault.hint or hint, self.fault.stderr
        if lines:
            raise TransferError("\n".join([*lines, *self.notes]), hint=hint, stderr=stderr) from self.fault

    @contextlib.contextmanager
    def _each_by_itself(self, path: str) -> Iterator[None]:
        """Keep for the end what goes wrong with one path; a later collect finds it as it is now."""
        try:
            yield
        except OSError as error:
            self.failures.append(f"{self.root / path} cannot be written: {error}")

    def _leave_blocked(self, fresh: list[str]) -> list[str]:
        """Leave out, and note, what needs a folder where the user has something else.

        It stays news, so that it comes once its place is free, and is not cleaned away before.

        :returns: all else.
        """
        free = []
        blockers: dict[str, None] = {}
        for path in fresh:
            with self._each_by_itself(path):
                blocker = self._sides.blocker(path)
                if blocker is None:
                    free.append(path)
                else:
                    blockers[blocker] = None
                    known = self._manifest.get(path) or Agreed(None, None, None)
                    self._manifest[path] = replace(known, is_contested=True)
        self.notes += [
            f"{path} is a folder there and none here; what is in it was left there until {path} is moved away here"
            for path in blockers
        ]
        return free

    def _bring_entry(self, path: str, source: Path) -> None:
        """Put one entry of the replica in its place, or beside it.

        :param source: where it was fetched to, if it is a file.
        """
        known, mark, place = self._manifest.get(path), self._theirs[path], self.root / path
        if mark.kind == "u":  # it stays news
            self.failures.append(f"{path} cannot be read there; it was left there")
            return
        refusal = self._sides.refusal(path)
        if refusal is not None:
            if not self._sides.is_unsent_code(path.rpartition("/")[0]):  # else the folder was named
                self.notes.append(f"{path} {refusal}; it was left there")
            self._manifest[path] = agree(known, mark, known.ours if known else None)
            return
        now = mark_of(place)
        if now == self._sides.as_brought(mark):  # such as by a collect that was killed
            self._manifest[path] = agree(known, mark, now)
            return
        if mark.kind == "f" and not (_is_file(source) and source.stat().st_size == mark.size):
            if self.fault is None:
                why = "it changed meanwhile, or cannot be read there"
                self.failures.append(f"{self._host}: {path} did not come whole; {why}")
            return
        replaced = self._sides.contents_if_untouched(path, now)
        if replaced is None and mark.kind == "f" and _is_file(place) and filecmp.cmp(source, place, shallow=False):
            # only times or modes differ: both were changed in the same way, or one cannot hold what the other does
            self._manifest[path] = agree(known, mark, now)
            return
        if replaced is None:
            beside = self._sides.place_beside(path)
            self._put(mark, source, Name(beside.relative_to(self.root).as_posix()))
            self.notes.append(f"{path} was changed here and there; what is there is now in {beside.name}")
            self._manifest[path] = agree(known, mark, now, is_contested=True)
            return
        self._put(mark, source, Name(path), list(map(Name, replaced)))
        for name in replaced:
            self._manifest[name] = agree(self._manifest[name], None, None)
        self.moved += mark.kind != "d"
        self._manifest[path] = agree(known, mark, mark_of(place))

    def _remove_entry(self, path: str, *, apply: bool) -> None:
        known, place = self._manifest[path], self.root / path
        # below a symlink is nothing of this tree
        now = mark_of(place) if self._sides.is_inside(path) else None
        if now is None:
            self._manifest[path] = agree(known, None, None)
        elif not apply:
            return
        elif not self._sides.is_untouched(path, now):
            self.notes.append(f"{path} was removed there and changed here; it stays")
            self._manifest[path] = replace(known, is_contested=True)
        elif now.kind != "d" or not any(place.iterdir()):  # else something here is in it that never was there
            with Inside(self.root) as inside:
                inside.remove_one(Name(path))
            self._manifest[path] = agree(known, None, None)

    def _put(self, mark: Mark, source: Path, name: Name, replaced: Sequence[Name] = ()) -> None:
        """Make an entry of the local tree, whole or not at all.

        :param mark: what to make.
        :param source: holds the content of a file.
        :param replaced: what is in the folder that it replaces, each path before what it holds.
        """
        with Inside(self.root) as inside, inside.beside(name) as part:
            if mark.kind == "d":
                inside.make_folder(part)
            elif mark.kind == "l":
                inside.symlink(mark.link, part)
            else:
                with source.open("rb") as file, os.fdopen(inside.new(part, mark.mode & PERMISSIONS), "wb") as copy:
                    shutil.copyfileobj(file, copy)
                    copy.flush()
                    os.utime(copy.fileno(), ns=(mark.mtime_ns, mark.mtime_ns))
            for inner in reversed(replaced):
                inside.remove_one(inner)
            now = inside.look(name)
            if now is not None and (stat.S_ISDIR(now.st_mode) or mark.kind == "d"):
                inside.remove_one(name)
            inside.rename(part, name)


# ---- what may be done with an entry ----


class _Comparison:
    """The local tree beside its replica and the manifest: what may be done with an entry. It changes nothing.

    :param suffix: what is added to the name of an entry that is put beside ours.
    """

    def __init__(self, root: Path, manifest: dict[str, Agreed], theirs: dict[str, Mark], suffix: str) -> None:
        self.root, self.manifest, self.theirs, self.suffix = root, manifest, theirs, suffix
        self._links = {path: mark.link for path, mark in theirs.items() if mark.kind == "l"}
        self._ways: dict[str, str] = {}
        self._mask = umask()

    def blocker(self, path: str) -> str | None:
        """Return the user's own file or symlink where this path needs a folder; None if there is none."""
        parts = path.split("/")
        for count in range(1, len(parts) + (self.theirs[path].kind == "d")):
            folder = "/".join(parts[:count])
            if folder not in self._ways:
                self._ways[folder] = self._way_by(folder)
            if self._ways[folder] != "open":
                return folder if self._ways[folder] == "blocked" else None
        return None

    def _way_by(self, folder: str) -> str:
        """Return `open` if a folder is here, `blocked` if the user has something else there, `new` if it will be made.

        What a symlink that gives way leads to is in nobody's way.
        """
        now = mark_of(self.root / folder)
        if now is None or (now.kind != "d" and self.is_untouched(folder, now)):
            return "new"
        return "open" if now.kind == "d" else "blocked"

    def refusal(self, path: str) -> str | None:
        """Return why an entry is not brought, though it could be; None if it is."""
        mark = self.theirs[path]
        if not self.is_inside(path) or (mark.kind == "l" and not stays_inside(path, self._links)):
            return "would lead out of the tree through a symlink"
        if self.is_unsent_code(path):
            return "is new in what a version control keeps, from where programs here may run it"
        return None if mark.kind in {"f", "d", "l"} else "is neither file, folder nor link there"

    def is_unsent_code(self, path: str) -> bool:
        """Return whether a path is in a folder of version control, and nothing was ever sent from there."""
        known = self.manifest.get(path)
        return _VERSION_CONTROL.search(path) is not None and (known is None or known.ours is None)

    def is_inside(self, path: str) -> bool:
        """Return whether no folder on the way to a path is a symlink here."""
        parents = list((self.root / path).parents)
        inner = parents[: parents.index(self.root)]
        return not any(parent.is_symlink() for parent in inner)

    def is_untouched(self, path: str, now: Mark) -> bool:
        """Return whether what is here now is what both sides last agreed on, so that nothing is lost with it."""
        known = self.manifest.get(path)
        if known is None or known.theirs is None:
            return False
        if now == self.as_brought(known.theirs):
            return True
        return is_ours_untouched(known, now) and not known.is_contested

    def contents_if_untouched(self, path: str, now: Mark | None) -> list[str] | None:
        """Return what goes if this path is replaced: all that is in a folder, and nothing besides what is no folder.

        :param now: the mark of what is here.
        :returns: each path before what it holds; None if any of it, or the path itself, was changed here.
        """
        if now is None:
            return []
        if not self.is_untouched(path, now):
            return None
        found: list[str] = []
        waiting = [path] if now.kind == "d" else []
        while waiting:
            for place in (self.root / waiting.pop()).iterdir():
                name, mark = place.relative_to(self.root).as_posix(), mark_of(place)
                if mark is None or not self.is_untouched(name, mark):
                    return None
                found.append(name)
                if mark.kind == "d":
                    waiting.append(name)
        return found

    def as_brought(self, mark: Mark) -> Mark:
        """Return the mark that an entry of the target has here, once it came."""
        return mark._replace(mode=mark.mode & PERMISSIONS & ~self._mask) if mark.kind == "f" else mark

    def place_beside(self, path: str) -> Path:
        """Return where to put what was changed on both sides: a free place, or that of what we put there before."""
        known = self.manifest.get(path)
        ours = {None, self.as_brought(self.theirs[path])}
        if known is not None and known.theirs is not None and known.is_contested:
            ours.add(self.as_brought(known.theirs))
        place = self.root / path
        for number in itertools.count(1):
            beside = place.with_name(f"{place.name}{self.suffix}" + (f".{number}" if number > 1 else ""))
            if mark_of(beside) in ours:
                break
        return beside


def _is_file(path: Path) -> bool:
    mark = mark_of(path)
    return mark is not None and mark.kind == "f"
