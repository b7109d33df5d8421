"""Environments that were made and are ours: with an id, and what `reserve.sh` leaves of a submission."""

from __future__ import annotations

from pathlib import Path

from locusts_fab.layout import Environment
from locusts_fab.transfer.stage import make_environment

#: The id of every environment that a test makes by hand, and of what is none of it.
ID = "c0ffee12"
OTHER_ID = "badcab1e"


def founded(root: Path | str) -> Environment:
    """Make an environment."""
    environment = Environment(str(root), ID)
    make_environment(environment)
    Path(root).chmod(0o700)
    (Path(root) / f"exec/id.{ID}").write_text("me\tlaptop\t/home/me/project\t1700000000\n")
    return environment


def reserved(environment: Environment, submission: int, token: str) -> Path:
    """Reserve the number of a submission; return its folder."""
    folder = Path(environment.absolute(f"exec/started.{submission}"))
    folder.mkdir()
    (folder / "token").write_text(f"{token}\n")
    return folder


def listing(root: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return all that is below a folder: the time of each entry, and what is in it."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in sorted(root.rglob("*"))
    }
