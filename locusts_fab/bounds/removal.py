"""The removal of a whole folder, of which no part is followed anywhere else, however deep it is."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

#: A folder is walked down so far at once. What lies deeper is moved up first: few folders are open at a time.
_MOST_DEPTH = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_at(folder: int, entry: str) -> None:
    """Remove a file, a symlink or a whole folder, if it is there.

    Folders that may not be written, as tasks may leave some, are no obstacle as long as they are ours.

    :param folder: the folder that it lies in, open.
    :param entry: its name in there.
    :raises OSError: something of it cannot be removed.
    """
    try:
        os.unlink(entry, dir_fd=folder)
    except IsADirectoryError:
        _remove_folder(folder, entry)
    except FileNotFoundError:
        pass


def _remove_folder(above: int, entry: str) -> None:
    descriptor, names = _enter(above, entry)
    way = [(above, entry, descriptor, names)]
    try:
        while way:
            above, entry, descriptor, names = way[-1]
            if not names:
                os.rmdir(entry, dir_fd=above)
                os.close(way.pop()[2])
                continue
            name = names.pop()
            try:
                os.unlink(name, dir_fd=descriptor)
            except IsADirectoryError:
                if len(way) < _MOST_DEPTH:
                    way.append((descriptor, name, *_enter(descriptor, name)))
                else:
                    way[0][3].append(_move_up(descriptor, name, way[0][2]))
            except FileNotFoundError:
                pass
    finally:
        for _, _, left, _ in way:
            os.close(left)


def _enter(above: int, entry: str) -> tuple[int, list[str]]:
    """Return a folder, open and with all rights for us, and the names in it."""
    try:
        descriptor = os.open(entry, _FOLDER, dir_fd=above)
    except PermissionError:
        _open_up(above, entry)
        descriptor = os.open(entry, _FOLDER, dir_fd=above)
    try:
        mode = os.fstat(descriptor).st_mode
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            with contextlib.suppress(PermissionError):  # it is not ours: then what is in it tells
                os.fchmod(descriptor, stat.S_IRWXU)
        return descriptor, os.listdir(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _open_up(above: int, entry: str) -> None:
    """Give the owner of a folder all rights on it; what is another thing by now is left as it is."""
    descriptor = os.open(entry, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        Path(f"/proc/self/fd/{descriptor}").chmod(stat.S_IRWXU)
    finally:
        os.close(descriptor)


def _move_up(above: int, entry: str, top: int) -> str:
    """Move a folder up to the top of what is removed, and return its name there."""
    name = f".locusts-{secrets.token_hex(8)}"
    with contextlib.suppress(PermissionError):
        _open_up(above, entry)  # who moves a folder writes to it
    os.rename(entry, name, src_dir_fd=above, dst_dir_fd=top)
    return name
