"""Stage the replica of a custom environment, and bring back into the local tree what tasks have changed in it.

What was changed on both sides is never overwritten: the local file stays, and the other is put beside it. Nothing is
written through a symlink of the local tree, and no symlink that points out of it is made. An entry that cannot be
written keeps no other from coming home.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locusts_fab.errors import HostError, TransferError
from locusts_fab.fs import fresh_folder, remove, write_whole
from locusts_fab.layout import TREE
from locusts_fab.replica.manifest import (
    Agreed,
    agree,
    changes_since_staging,
    format_changes,
    format_manifest,
    is_ours_untouched,
    mark_of,
    news_of_tree,
    parse_manifest,
    parse_scan,
)
from locusts_fab.replica.select import select_replica
from locusts_fab.shell.scripts import remote_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.progress import Silent
    from locusts_fab.replica.manifest import Change, Mark
    from locusts_fab.replica.walk import Selection
    from locusts_fab.target import Site
    from locusts_fab.ui.screen import Screen


def tree_dir(swarm: Swarm, environment_dir: str) -> str:
    """Tell where the tree is on the target."""
    return str(swarm.local_tree) if swarm.is_in_place else f"{environment_dir}/{TREE}"


#: Where the environment keeps a copy of the manifest.
_MANIFEST_THERE = "exec/replica.tsv"


def _manifest_path(swarm: Swarm) -> Path:
    return swarm.state_dir / "replica.tsv"


def read_manifest(swarm: Swarm) -> dict[str, Agreed]:
    """Read what both sides held when they last agreed; nothing if they never did."""
    try:
        return parse_manifest(_manifest_path(swarm).read_bytes())
    except FileNotFoundError:
        return {}


def forget_manifest(swarm: Swarm) -> None:
    """Forget it, because the replica is to be made anew."""
    _manifest_path(swarm).unlink(missing_ok=True)


def scan(swarm: Swarm, site: Site) -> dict[str, Mark]:
    """List the tree on the target.

    :raises HostError: it cannot be listed.
    """
    folder = tree_dir(swarm, site.environment.root)
    result = site.host.run(remote_script("scan_tree"), folder, *_own_names(swarm, folder))
    if result.exit_status != 0:
        raise HostError(
            f"{site.host.name}: the tree {folder} cannot be listed:\n{result.stderr.strip()}",
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


def stage_replica(swarm: Swarm, site: Site, screen: Screen | Silent) -> list[str]:
    """Bring the selected part of the local tree to the target, and note what is there then.

    If a replica is there already, only what changed here since then goes, and nothing that changed there as well.

    :returns: notes for a person.
    :raises TransferError: something did not arrive; to stage again carries on.
    """
    root = swarm.local_tree
    selection = select_replica(swarm)
    notes = [*selection.unmatched, *(f"{name}: neither file, folder nor link; left out" for name in selection.skipped)]
    manifest = read_manifest(swarm)
    ours = {name: mark_of(root / name) for name in _names(selection)}
    if swarm.is_in_place:
        if not manifest:
            theirs = scan(swarm, site)
            _write_manifest(swarm, site, {path: Agreed(mark, mark, mark) for path, mark in theirs.items()})
        return notes
    before = scan(swarm, site) if manifest else {}
    send = []
    for name, mark in ours.items():
        if not is_ours_untouched(manifest.get(name), mark) or name not in manifest:
            if name in manifest and manifest[name].theirs != before.get(name):
                notes.append(f"{name} was changed both here and there; it stays as it is on both sides")
            else:
                send.append(name)
    site.transfer.send_tree(root, send, screen)
    after = scan(swarm, site)
    for name in send:
        manifest[name] = Agreed(after.get(name), after.get(name), ours[name])
    _write_manifest(swarm, site, manifest)
    return notes


def _names(selection: Selection) -> list[str]:
    return [*selection.folders, *selection.files, *selection.links]


def _write_manifest(swarm: Swarm, site: Site, manifest: dict[str, Agreed]) -> None:
    """Keep what both sides held, here and in the environment, so that `attach` finds it."""
    _keep_manifest(swarm, manifest)
    site.transfer.write(_MANIFEST_THERE, format_manifest(manifest))


def _keep_manifest(swarm: Swarm, manifest: dict[str, Agreed]) -> None:
    with _written(_manifest_path(swarm)):
        write_whole(_manifest_path(swarm), format_manifest(manifest))


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """Raise a TransferError if a file of this machine cannot be written within."""
    try:
        yield
    except OSError as error:
        raise TransferError(
            f"{path} cannot be written: {error.strerror or error}", hint="mend the cause, then the same command again"
        ) from error


def recall_manifest(swarm: Swarm, site: Site) -> None:
    """Take what both sides held from the environment, when it was lost here."""
    data = site.transfer.read(_MANIFEST_THERE)
    if data is not None:
        with _written(_manifest_path(swarm)):
            write_whole(_manifest_path(swarm), data)


def has_news(swarm: Swarm, site: Site) -> bool:
    """Tell whether tasks have changed something in the replica that has not come home."""
    if swarm.is_in_place or not read_manifest(swarm):
        return False
    return bool(news_of_tree(read_manifest(swarm), scan(swarm, site))[0])


# ---------------------------------------------------------------------------------------------------------------------
# Back


#: So many of the entries that could not be written are named.
_SHOWN = 5


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


def bring_back(swarm: Swarm, site: Site, screen: Screen | Silent, *, apply_removals: bool) -> Brought:
    """Bring what tasks created and changed into the local tree, and write modified.tsv.

    :param apply_removals: also remove here what they removed there.
    :raises TransferError: something did not arrive, while all else did; to collect again carries on.
    """
    manifest, theirs = read_manifest(swarm), scan(swarm, site)
    work = _Homecoming(swarm, manifest, theirs)
    if not swarm.is_in_place:
        fresh, gone = news_of_tree(manifest, theirs)
        try:
            work.take(site, fresh, screen)
            work.drop(gone, apply=apply_removals)
        finally:
            _keep_manifest(swarm, manifest)
        if work.fault is None:  # else the target may be out of reach; an older copy there does no harm
            site.transfer.write(_MANIFEST_THERE, format_manifest(manifest))
    changes = changes_since_staging(manifest, theirs)
    with _written(swarm.outdir / "modified.tsv"):
        swarm.outdir.mkdir(parents=True, exist_ok=True)
        write_whole(swarm.outdir / "modified.tsv", format_changes(changes))
    work.complain()
    return Brought(changes, work.moved, work.notes)


class _Homecoming:
    """The work of bringing back one tree; `manifest` is kept in step with what has come.

    :ivar notes: what a person should know, a line each.
    :ivar failures: what could not be written here, a line each.
    :ivar fault: why not all files could be fetched.
    """

    def __init__(self, swarm: Swarm, manifest: dict[str, Agreed], theirs: dict[str, Mark]) -> None:
        self.swarm, self.manifest, self.theirs = swarm, manifest, theirs
        self.root = swarm.local_tree
        self.suffix = f".from-{swarm.target_name}"
        self.notes: list[str] = []
        self.failures: list[str] = []
        self.fault: TransferError | None = None
        self.moved = 0
        self._in_the_way: dict[str, bool] = {}

    def take(self, site: Site, fresh: list[str], screen: Screen | Silent) -> None:
        """Bring what is new or other there; an entry that cannot be brought holds up no other."""
        free = self._leave_what_is_obstructed(fresh)
        files = [path for path in free if self.theirs[path].kind == "f"]
        with fresh_folder(self.swarm.state_dir, "incoming-tree-") as folder:
            if files:
                try:
                    site.transfer.fetch_tree(files, folder, screen)
                except TransferError as error:  # what came all the same is put in its place
                    self.fault = error
            for path in free:
                with self._each_by_itself(path):
                    self._place(path, folder / path)

    def complain(self) -> None:
        """See that all came.

        :raises TransferError: something did not. It says the notes as well, for nobody would find those things again.
        """
        more = len(self.failures) - _SHOWN
        lines = [*self.failures[:_SHOWN], *([f"and {more} more like these"] if more > 0 else [])]
        hint, stderr = "mend the cause and collect again", ""
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

    def _leave_what_is_obstructed(self, fresh: list[str]) -> list[str]:
        """Leave out, and note, what would come where something of a person's is that is no folder.

        It stays news, so that it comes once its place is free, and is not cleaned away before.

        :returns: all else.
        """
        free = []
        obstacles: dict[str, None] = {}
        for path in fresh:
            with self._each_by_itself(path):
                obstacle = self._obstacle(path)
                if obstacle is None:
                    free.append(path)
                else:
                    obstacles[obstacle] = None
                    self.manifest[path] = replace(
                        self.manifest.get(path) or Agreed(None, None, None), is_contested=True
                    )
        self.notes += [
            f"{path} is a folder there and none here; what is in it was left there until {path} is moved away here"
            for path in obstacles
        ]
        return free

    def _obstacle(self, path: str) -> str | None:
        """Name the file or symlink of a person's that lies where a path needs a folder; None if nothing does."""
        parts = path.split("/")
        for count in range(1, len(parts) + (self.theirs[path].kind == "d")):
            folder = "/".join(parts[:count])
            if folder not in self._in_the_way:
                now = mark_of(self.root / folder)
                self._in_the_way[folder] = not (now is None or now.kind == "d" or self._is_untouched(folder, now))
            if self._in_the_way[folder]:
                return folder
        return None

    def _is_untouched(self, path: str, now: Mark) -> bool:
        """Tell whether what is here now is what both sides last agreed on, so that nothing is lost with it."""
        known = self.manifest.get(path)
        if known is None or known.theirs is None:
            return False
        if now == _as_brought(known.theirs):
            return True
        return is_ours_untouched(known, now) and now.kind == known.theirs.kind and not known.is_contested

    def _place(self, path: str, source: Path) -> None:
        """Put one entry of the tree in its place, or beside it."""
        known, mark, place = self.manifest.get(path), self.theirs[path], self.root / path
        unwanted = self._why_unwanted(path, mark)
        if unwanted is not None:
            self.notes.append(f"{path} {unwanted}; it was left there")
            self.manifest[path] = agree(known, mark, known.ours if known else None)
            return
        now = mark_of(place)
        if now == _as_brought(mark):  # such as by a collect that was killed
            self.manifest[path] = agree(known, mark, now)
            return
        fetched = mark_of(source) if mark.kind == "f" else None
        if mark.kind == "f" and (fetched is None or fetched.kind != "f"):
            if self.fault is None:
                self.notes.append(f"{path} did not come; it may have changed while it was fetched")
            return
        inside = self._inside_if_untouched(path, now)
        if inside is None:
            beside = self._place_beside(path)
            self._put(mark, source, beside, [])
            self.notes.append(f"{path} was changed here and there; what is there is now in {beside.name}")
            self.manifest[path] = agree(known, mark, now, is_contested=True)
            return
        self._put(mark, source, place, inside)
        for name in inside:
            self.manifest[name] = agree(self.manifest[name], None, None)
        self.moved += mark.kind != "d"
        self.manifest[path] = agree(known, mark, mark_of(place))

    def _why_unwanted(self, path: str, mark: Mark) -> str | None:
        """Say why an entry does not come, though it could; None if it does."""
        if not self._is_inside(path) or (mark.kind == "l" and not self._stays_inside(path, mark.link)):
            return "would lead out of the tree through a symlink"
        return None if mark.kind in {"f", "d", "l"} else "is neither file, folder nor link there"

    def _inside_if_untouched(self, path: str, now: Mark | None) -> list[str] | None:
        """List what is in a folder of ours, so that it can be replaced; nothing of what is no folder.

        :returns: each path before what it holds; None if something of it, or the path itself, was changed here.
        """
        if now is None:
            return []
        if not self._is_untouched(path, now):
            return None
        found: list[str] = []
        waiting = [path] if now.kind == "d" else []
        while waiting:
            for place in (self.root / waiting.pop()).iterdir():
                name, mark = place.relative_to(self.root).as_posix(), mark_of(place)
                if mark is None or not self._is_untouched(name, mark):
                    return None
                found.append(name)
                if mark.kind == "d":
                    waiting.append(name)
        return found

    def _place_beside(self, path: str) -> Path:
        """Find a name for what was changed on both sides: a free one, or that of what we put there before."""
        known = self.manifest.get(path)
        ours = {None, _as_brought(self.theirs[path])}
        if known is not None and known.theirs is not None and known.is_contested:
            ours.add(_as_brought(known.theirs))
        place = self.root / path
        for number in itertools.count(1):
            beside = place.with_name(f"{place.name}{self.suffix}" + (f".{number}" if number > 1 else ""))
            if mark_of(beside) in ours:
                break
        return beside

    def _put(self, mark: Mark, source: Path, place: Path, inside: list[str]) -> None:
        """Make an entry, whole or not at all.

        :param inside: what is in the folder that it replaces.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".locusts-part-{os.getpid()}")
        remove(part)
        try:
            if mark.kind == "d":
                part.mkdir()
            elif mark.kind == "l":
                part.symlink_to(mark.link)
            else:
                shutil.copyfile(source, part)
                part.chmod(mark.mode & 0o777)
                os.utime(part, ns=(mark.mtime_ns, mark.mtime_ns))
            for name in reversed(inside):
                _remove_one(self.root / name)
            now = mark_of(place)
            if now is not None and "d" in {now.kind, mark.kind}:
                _remove_one(place)
            part.rename(place)
        except BaseException:
            with contextlib.suppress(OSError):
                remove(part)
            raise

    def drop(self, gone: list[str], *, apply: bool) -> None:
        """Remove here what was removed there, if that is wished and nobody changed it here."""
        for path in gone:
            with self._each_by_itself(path):
                self._drop(path, apply=apply)

    def _drop(self, path: str, *, apply: bool) -> None:
        known, place = self.manifest[path], self.root / path
        now = mark_of(place)
        if now is None:
            self.manifest[path] = agree(known, None, None)
        elif not apply:
            return
        elif not self._is_inside(path) or not self._is_untouched(path, now):
            self.notes.append(f"{path} was removed there and changed here; it stays")
            self.manifest[path] = replace(known, is_contested=True)
        elif now.kind != "d" or not any(place.iterdir()):  # else something here is in it that never was there
            _remove_one(place)
            self.manifest[path] = agree(known, None, None)

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


def _as_brought(mark: Mark) -> Mark:
    """Return the mark that an entry of the target has here, once it came."""
    return mark._replace(mode=mark.mode & 0o777) if mark.kind == "f" else mark


def _remove_one(place: Path) -> None:
    """Remove a file, a symlink or an empty folder; a folder that holds something fails."""
    if place.is_dir() and not place.is_symlink():
        place.rmdir()
    else:
        place.unlink()
