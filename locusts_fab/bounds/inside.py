"""A folder of this machine, below which is written and removed, and nowhere else, whatever links stand there.

Nothing is looked at first and used later: each part of a path is opened in the folder before it, and none that is a
symlink. So it does not matter what somebody else puts there meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from locusts_fab.bounds.names import Name
from locusts_fab.bounds.removal import remove_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

#: So many folders are kept open, beside the top: most files go where the one before went.
_MOST_OPEN = 32
_WAY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT_RULES = "system.posix_acl_default"
#: One of two entries is a folder, so that the one cannot simply take the place of the other.
_IN_THE_WAY = {errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST}
#: Of the mode of a file, what may come from elsewhere: who may read, write and execute it.
PERMISSIONS = 0o777
_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


class Inside:
    """A folder of this machine, and what is below it; all methods raise OSError where the system does.

    A symlink on the way to what a name stands for is an error of its own (NotADirectoryError). Modes are less what the
    umask takes away. Where the folder has the set-group-id bit or default rules these decide, as for all that is made
    there.

    :param root: the folder itself; symlinks on the way to it are followed.
    :param folder_mode: the mode of folders that are made on the way.
    """

    def __init__(self, root: str | Path, folder_mode: int = 0o777) -> None:
        self.root = os.fspath(root)
        self._folder_mode = folder_mode
        self._top = os.open(root, _WAY)
        self._open: OrderedDict[str, int] = OrderedDict()
        #: What is known of the rules of open folders, the top under the empty path.
        self._rules: dict[str, _Rules] = {}
        self._mask = umask()
        self._us = os.geteuid()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close all folders."""
        while self._open:
            os.close(self._open.popitem()[1])
        os.close(self._top)

    # ---- folders ----

    def make_folder(self, name: Name, mode: int | None = None) -> None:
        """Make a folder, and those above it.

        :raises FileExistsError: something is there.
        """
        folder, last = self._at(name, make=True)
        os.mkdir(last, self._folder_mode if mode is None else mode, dir_fd=folder)

    def need_folder(self, name: Name) -> None:
        """See that there is a folder, and make it if not."""
        self._folder(name, make=True)

    def list(self, name: Name | None) -> list[tuple[str, str]]:
        """Return what is in a folder: the last part of each name, and `f`, `d`, `l` or `?` for its kind.

        :param name: the folder; None: the top.
        """
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folder(name or ""))
        try:
            with os.scandir(descriptor) as entries:
                return [(entry.name, _kind(entry)) for entry in entries]
        finally:
            os.close(descriptor)

    def _at(self, name: Name, *, make: bool = False) -> tuple[int, str]:
        """Return the folder that a name lies in, open, and its last part."""
        above, _, last = name.rpartition("/")
        return self._folder(above, make=make), last

    def _folder(self, path: str, *, make: bool = False) -> int:
        """Return a folder, open as a way to what is in it. It stays open until many others were opened."""
        if not path:
            return self._top
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        above, way = path, list[str]()
        while above and above not in self._open:
            above, _, part = above.rpartition("/")
            way.append(part)
        current = self._open[above] if above else self._top
        while way:
            part = way.pop()
            path = f"{above}/{part}" if above else part
            current = self._enter(current, above, part, path, make=make)
            self._open[path] = current
            if len(self._open) > _MOST_OPEN:
                oldest, descriptor = self._open.popitem(last=False)
                os.close(descriptor)
                self._rules.pop(oldest, None)
            above = path
        return current

    def _enter(self, folder: int, above: str, part: str, path: str, *, make: bool) -> int:
        try:
            return os.open(part, _WAY | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
        except OSError as error:
            error.filename = f"{self.root}/{path}"  # of which the system knows only the last part
            raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, self._folder_mode, dir_fd=folder)
            if above in self._rules:
                self._rules[path] = self._rules[above]  # a new folder takes them over
        return os.open(part, _WAY | os.O_NOFOLLOW, dir_fd=folder)

    def _rules_at(self, name: Name) -> _Rules:
        """Return the rules of the folder that a name lies in, which is made if it is not there."""
        above, _, _ = name.rpartition("/")
        if "" not in self._rules:
            self._rules[""] = _rules_of(self._top)
        folder = self._folder(above, make=True)
        known = self._rules.get(above)
        if known is None:
            known = self._rules[above] = _rules_of(folder)
        return known

    def _forget(self, name: Name) -> None:
        """Close a folder and those below it, for another thing may be there under their names soon."""
        for path in [path for path in self._open if path == name or path.startswith(f"{name}/")]:
            os.close(self._open.pop(path))
            self._rules.pop(path, None)

    # ---- what is there ----

    def stat(self, name: Name) -> os.stat_result:
        """Return the status of an entry, of a symlink its own."""
        folder, last = self._at(name)
        return os.stat(last, dir_fd=folder, follow_symlinks=False)

    def look(self, name: Name) -> os.stat_result | None:
        """Return the status of an entry as `stat` does; None if nothing is there, or only through a symlink."""
        try:
            return self.stat(name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def readlink(self, name: Name) -> str:
        """Return what a symlink holds."""
        folder, last = self._at(name)
        return os.readlink(last, dir_fd=folder)

    def open(self, name: Name) -> int:
        """Return a file, open for reading; a pipe does not hold us."""
        folder, last = self._at(name)
        return os.open(last, _READ, dir_fd=folder)

    def set_times(self, name: Name, status: os.stat_result) -> None:
        """Give an entry the times of another one."""
        folder, last = self._at(name)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(last, ns=times, dir_fd=folder, follow_symlinks=False)

    def set_mode(self, name: Name, mode: int) -> None:
        """Give a file a mode, whatever the umask is.

        :raises OSError: it cannot be opened, or is no file.
        """
        descriptor = self.open(name)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file", name)
            os.fchmod(descriptor, mode & PERMISSIONS)
        finally:
            os.close(descriptor)

    def is_as_made(self, name: Name, status: os.stat_result) -> bool:
        """Return whether a file has the owner, group and mode that it could have if it was made under this name.

        :param status: the file's, which is to get this name as another one.
        """
        rules = self._rules_at(name)
        return (
            not status.st_mode & (self._mask | _SPECIAL)
            and status.st_gid == rules.group
            and status.st_uid == self._us
            and not rules.has_default_rules
        )

    def is_plain(self, name: Name) -> bool:
        """Return whether what is made in the folder of a name gets our own group, and modes by the umask alone."""
        rules = self._rules_at(name)
        return not rules.gives_group and not rules.has_default_rules

    # ---- making and removing ----

    @contextlib.contextmanager
    def beside(self, name: Name) -> Iterator[Name]:
        """Yield a free name in the same folder, which is made: what is made under it can be renamed in one step.

        If something goes wrong within, what was made is removed.
        """
        above, slash, _ = name.rpartition("/")
        self._folder(above, make=True)
        part = Name(f"{above}{slash}.locusts-{secrets.token_hex(8)}")
        try:
            yield part
        except BaseException:
            with contextlib.suppress(OSError):
                self.remove(part)
            raise

    def new(self, name: Name, mode: int = 0o666) -> int:
        """Return a new file, open for writing."""
        folder, last = self._at(name, make=True)
        return os.open(last, _NEW, mode & 0o777, dir_fd=folder)

    def write(self, name: Name, data: bytes, mode: int = 0o666) -> None:
        """Write a file so that it is there whole or not at all."""
        with self.beside(name) as part:
            with os.fdopen(self.new(part, mode), "wb") as file:
                file.write(data)
            self.replace(part, name)

    def link(self, other: Inside, source: Name, name: Name) -> None:
        """Give an entry of another folder a name here, too."""
        folder, last = self._at(name, make=True)
        there, entry = other._at(source)
        os.link(entry, last, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)

    def take(self, source: str, name: Name) -> None:
        """Move a file or a folder of ours, from anywhere on the same file system, to where nothing is."""
        folder, last = self._at(name, make=True)
        os.rename(source, last, dst_dir_fd=folder)

    def symlink(self, text: str, name: Name) -> None:
        """Make a symlink."""
        folder, last = self._at(name, make=True)
        os.symlink(text, last, dir_fd=folder)

    def rename(self, part: Name, name: Name) -> None:
        """Give what was made beside it its name, in place of a file or a symlink, but not of a folder.

        :param part: in the same folder, from `beside`.
        """
        folder, last = self._at(name)
        os.rename(part.rpartition("/")[2], last, src_dir_fd=folder, dst_dir_fd=folder)

    def replace(self, part: Name, name: Name) -> None:
        """Give what was made beside it its name, in place of whatever is there; see `rename`."""
        try:
            self.rename(part, name)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            self.remove(name)
            self.rename(part, name)

    def remove(self, name: Name) -> None:
        """Remove a file, a symlink or a whole folder, if it is there; what is beyond a symlink is not."""
        self._forget(name)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            folder, last = self._at(name)
            remove_at(folder, last)

    def remove_one(self, name: Name) -> None:
        """Remove a file, a symlink or an empty folder.

        :raises OSError: it is not there, or the folder holds something.
        """
        folder, last = self._at(name)
        try:
            os.unlink(last, dir_fd=folder)
        except IsADirectoryError:
            self._forget(name)
            os.rmdir(last, dir_fd=folder)


def umask() -> int:
    """Return the umask; for a moment it is the strictest, so that what another thread makes is not too open."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "?"


class _Rules(NamedTuple):
    """What a folder has to say of what is made in it.

    :param gives_group: it has the set-group-id bit.
    :param group: the group of what is made there.
    :param has_default_rules: it has a default ACL.
    """

    gives_group: bool
    group: int
    has_default_rules: bool


def _rules_of(folder: int) -> _Rules:
    status = os.fstat(folder)
    gives_group = bool(status.st_mode & stat.S_ISGID)
    try:
        has_default_rules = bool(os.getxattr(f"/proc/self/fd/{folder}", _DEFAULT_RULES))
    except OSError:  # it has none, or the file system knows none
        has_default_rules = False
    return _Rules(gives_group, status.st_gid if gives_group else os.getegid(), has_default_rules)
