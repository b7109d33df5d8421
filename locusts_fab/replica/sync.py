"""Send the selected part of a local tree to its replica, list the replica, and keep the manifest of both.

What was changed on both sides is never overwritten. What comes back, and how, is in `locusts_fab.replica.merge`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from locusts_fab.bounds.budget import entries_of
from locusts_fab.errors import HostError, StateError, TransferError
from locusts_fab.fs import write_whole
from locusts_fab.hosts.patience import LONG_S
from locusts_fab.layout import TREE, folders_above
from locusts_fab.replica.manifest import (
    ENTRY_FIELDS,
    Agreed,
    folder_mark,
    format_manifest,
    is_ours_untouched,
    mark_of,
    news_of_tree,
    parse_manifest,
    parse_scan,
)
from locusts_fab.replica.select import select_replica
from locusts_fab.shell.scripts import RemoteExit, lacks_gnu_find, remote_script

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from locusts_fab.config.swarm import Swarm
    from locusts_fab.progress import Silent
    from locusts_fab.replica.manifest import Mark
    from locusts_fab.target import Site
    from locusts_fab.ui.screen import Screen

#: Where the environment keeps a copy of the manifest.
_MANIFEST_THERE = "exec/replica.tsv"
_SECOND_NS = 1_000_000_000
_UNFIT_HINT = "move it away, then repeat this: the copy in the environment takes its place"


# ---- the tree on the target ----


def tree_dir(swarm: Swarm, environment_dir: str) -> str:
    """Return the folder of the tree on the target: the local tree itself where tasks run in place.

    :param environment_dir: the environment of the swarm on its target.
    """
    return str(swarm.local_tree) if swarm.is_in_place else f"{environment_dir}/{TREE}"


def scan(swarm: Swarm, site: Site, known: int, *, may_lack: bool = False) -> dict[str, Mark]:
    """List the tree on the target.

    :param known: how many entries it has at least, as far as we know.
    :param may_lack: whether there may be none yet.
    :returns: the mark of each entry, by its path relative to the root of the tree.
    :raises HostError: it cannot be listed.
    """
    folder = tree_dir(swarm, site.environment.root)
    most = entries_of("the list of the tree", site.tasks, known, ends=ENTRY_FIELDS)
    if swarm.is_in_place:  # it is the user's own, of any size
        most = replace(most, size=sys.maxsize, entries=None)
    arguments = (folder, *_own_names(swarm, folder))
    result = site.host.run(remote_script("scan_tree"), *arguments, quiet_s=LONG_S, most=most)
    if may_lack and result.exit_status == RemoteExit.NO_ENVIRONMENT:
        return {}
    if result.exit_status != 0:
        raise HostError(
            f"{site.host.name}: the tree {folder} cannot be listed:\n{result.stderr.strip() or 'it is not there'}",
            hint="install GNU find there, and put it first on the PATH"
            if lacks_gnu_find(result.stderr)
            else "see what the lines above name: all of the tree has to be there, and readable",
            stderr=result.stderr,
        )
    try:
        return parse_scan(result.stdout)
    except ValueError as error:
        raise HostError(
            f"{site.host.name}: what came as the list of the tree {folder} is none: {error}",
            hint="see which find is there, and who can write to the environment; nothing was changed here",
        ) from error


def _own_names(swarm: Swarm, folder: str) -> list[str]:
    """Return what of ours may lie in a tree that tasks run in, relative to it: our state, and the results."""
    own = [swarm.folder / ".locusts", swarm.outdir]
    return [os.path.relpath(path, folder) for path in own if path.is_relative_to(folder)]


def has_news(swarm: Swarm, site: Site) -> bool:
    """Return whether tasks have created or changed something in the replica that was not brought back yet.

    :raises StateError: nobody knows; see `agreed_manifest`.
    :raises HostError: the tree on the target cannot be listed.
    """
    if swarm.is_in_place:
        return False
    manifest = agreed_manifest(swarm, site)
    return manifest is not None and bool(news_of_tree(manifest, scan(swarm, site, len(manifest)))[0])


# ---- the manifest, here and there ----


def agreed_manifest(swarm: Swarm, site: Site) -> dict[str, Agreed] | None:
    """Return what both sides held of each path when they last agreed; None if there is no tree there yet.

    Where it was lost here, the copy in the environment takes its place.

    :raises StateError: it is lost on both sides though tasks may have changed the tree, or it cannot be used.
    :raises HostError: the target cannot be asked, or what is there is no manifest.
    """
    manifest = read_manifest(swarm)
    if manifest is None and recall_manifest(swarm, site):
        manifest = read_manifest(swarm)
    if manifest is None and is_tree_used(swarm, site):
        raise unknown_tree(swarm, site)
    return manifest


def is_tree_used(swarm: Swarm, site: Site) -> bool:
    """Return whether tasks may have changed the tree on the target; never of one that they run in here.

    :raises HostError: that cannot be seen.
    """
    if swarm.is_in_place:
        return False
    result = site.host.run(remote_script("is_tree_used"), site.environment.root, TREE)
    if result.exit_status != 0:
        raise HostError(
            f"{site.host.name}: it cannot be seen whether tasks have changed the tree in {site.environment.root}:\n"
            f"{result.stderr.strip()}",
            hint="see what the lines above name; then repeat this",
            stderr=result.stderr,
        )
    return result.text.strip() != "no"


def unknown_tree(swarm: Swarm, site: Site) -> StateError:
    """Return the error for a tree of which nobody knows any more what tasks have done to it."""
    environment = site.environment
    return StateError(
        f"{site.host.name}: tasks may have changed the tree {environment.absolute(TREE)}, and nobody knows what in it:"
        f" there is neither {_manifest_path(swarm)} nor its copy {environment.absolute(_MANIFEST_THERE)}",
        hint="fetch what you need from that folder by hand, and move it away there: then `locusts submit` sends yours"
        " anew; `locusts clean --force` gives it up",
    )


def read_manifest(swarm: Swarm) -> dict[str, Agreed] | None:
    """Return the manifest of this machine; None if there is none, which may also mean that it was lost.

    :raises StateError: the file of it is damaged, or cannot be read.
    """
    path = _manifest_path(swarm)
    try:
        return parse_manifest(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror or error}", hint=_UNFIT_HINT) from error
    except ValueError as error:
        raise StateError(f"{path} is damaged and cannot be used: {error}", hint=_UNFIT_HINT) from error


def save_manifest(swarm: Swarm, manifest: Mapping[str, Agreed]) -> None:
    """Write the manifest on this machine.

    :raises TransferError: it cannot be written.
    """
    with written(_manifest_path(swarm)):
        write_whole(_manifest_path(swarm), format_manifest(manifest))


def send_manifest(site: Site, manifest: Mapping[str, Agreed]) -> None:
    """Write a copy of the manifest into the environment, where `recall_manifest` finds it.

    :raises TransferError: it did not arrive.
    """
    site.transfer.write(_MANIFEST_THERE, format_manifest(manifest))


def recall_manifest(swarm: Swarm, site: Site) -> bool:
    """Replace the manifest of this machine, which was lost, by the copy in the environment; return whether it has one.

    :raises TransferError: it cannot be read there, or written here.
    :raises HostError: what is there is no manifest.
    """
    most = entries_of("the list of the tree", site.tasks, len(select_replica(swarm).files), end=b"\n")
    data = site.transfer.read(_MANIFEST_THERE, most)
    if data is None:
        return False
    try:
        parse_manifest(data)
    except ValueError as error:
        raise HostError(
            f"{site.host.name}: {site.environment.absolute(_MANIFEST_THERE)} is no list of the tree: {error}",
            hint="somebody else wrote to the environment, or the file is damaged; nothing was changed here",
        ) from error
    with written(_manifest_path(swarm)):
        write_whole(_manifest_path(swarm), data)
    return True


def forget_manifest(swarm: Swarm) -> None:
    """Remove the manifest of this machine, because the replica is to be made anew."""
    _manifest_path(swarm).unlink(missing_ok=True)


def _manifest_path(swarm: Swarm) -> Path:
    return swarm.state_dir / "replica.tsv"


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn an OSError of the block, which writes a file of this machine, into an error for the user.

    :param path: the file, for the message.
    :raises TransferError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise TransferError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="fix the cause, then run the same command again",
        ) from error


# ---- sending the tree ----


def stage_replica(swarm: Swarm, site: Site, screen: Screen | Silent) -> list[str]:
    """Send the selected part of the local tree to the target, and save what is there then.

    If a replica is there already, only what changed here since then is sent, and nothing that changed there as well.

    :param screen: where to show progress.
    :returns: what the user should know, a line each.
    :raises PlanError: the root, something in it, or the tree file cannot be read.
    :raises ConfigError: the tree file makes no sense.
    :raises StateError: nobody knows what tasks have done to the tree there; see `agreed_manifest`.
    :raises HostError: the tree on the target cannot be listed.
    :raises TransferError: something did not arrive; to stage again carries on.
    """
    selection = select_replica(swarm)
    notes = [*selection.unmatched, *(f"{name}: neither file, folder nor link; left out" for name in selection.skipped)]
    known = agreed_manifest(swarm, site)
    root = swarm.local_tree
    ours = _marks_of(root, [*selection.folders, *selection.files, *selection.links])
    if swarm.is_in_place:
        if known is None:
            manifest = {path: Agreed(mark, mark, mark) for path, mark in scan(swarm, site, len(ours)).items()}
            save_manifest(swarm, manifest)
            send_manifest(site, manifest)
        return notes
    manifest = known or {}
    before = scan(swarm, site, len(manifest or ours), may_lack=known is None)
    # what is there of a first submit that was cut off is nobody's work
    send, contested = _choose(ours, manifest, {} if known is None else before)
    notes += [f"{name} was changed both here and there; it stays as it is on both sides" for name in contested]
    alike = {name for name in send if _looks_alike(ours[name], before.get(name), manifest.get(name))}
    site.transfer.send_tree(root, send, screen, alike)
    after = scan(swarm, site, len(manifest) + len(send))
    replaced = {name for name in send if name in manifest and ours[name] != folder_mark() == manifest[name].theirs}
    for name in [name for name in manifest if replaced.intersection(folders_above(name))]:
        del manifest[name]  # a file was sent for the folder that it was in; no task removed it
    for name in send:
        manifest[name] = Agreed(after.get(name), after.get(name), ours[name])
    save_manifest(swarm, manifest)
    send_manifest(site, manifest)
    return notes


def _marks_of(root: Path, names: list[str]) -> dict[str, Mark | None]:
    """Return the mark of each, without what has gone or become something odd since it was selected."""
    marks = {name: mark_of(root / name) for name in names}
    return {name: mark for name, mark in marks.items() if mark is not None and mark.kind in {"f", "d", "l"}}


def _looks_alike(ours: Mark | None, theirs: Mark | None, known: Agreed | None) -> bool:
    """Return whether a file that is to be sent may be taken for what is there: size and second are the same.

    It is left to that if they are the same to the nanosecond, or if what is in them was agreed on and only the mode is
    another now.
    """
    if ours is None or theirs is None or not ours.kind == theirs.kind == "f" or ours.size != theirs.size:
        return False
    agreed = known.ours if known is not None and known.theirs == theirs else None
    if agreed is not None and agreed == ours._replace(mode=agreed.mode):
        return False
    first, second = ours.mtime_ns, theirs.mtime_ns
    return first != second and first // _SECOND_NS == second // _SECOND_NS


def _choose(
    ours: Mapping[str, Mark | None], manifest: Mapping[str, Agreed], before: Mapping[str, Mark]
) -> tuple[list[str], list[str]]:
    """Choose what is sent.

    :param ours: the local tree, folders before what is in them.
    :param before: what is on the target now.
    :returns: what changed here alone, and what changed on both sides.
    """
    touched = (path for path, mark in before.items() if path not in manifest or manifest[path].theirs != mark)
    busy = {folder for path in touched for folder in folders_above(path)}
    send: list[str] = []
    contested: list[str] = []
    closed: set[str] = set()  # folders here that are none there, and stay so
    for name, mark in ours.items():
        known, there, is_folder = manifest.get(name), before.get(name), mark == folder_mark()
        is_new = known is None or not is_ours_untouched(known, mark)
        is_held = (
            not closed.isdisjoint(folders_above(name))
            or there not in {mark, known.theirs if known else None}
            or (name in busy and not is_folder)
        )
        if is_new:
            (contested if is_held else send).append(name)
        if is_folder and there not in {None, mark} and (is_held or not is_new):
            closed.add(name)
    return send, contested
