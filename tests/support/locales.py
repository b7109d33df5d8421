"""Locales of which machines have few: made from the sources of the C library, in a folder of ours."""

from __future__ import annotations

import fcntl
import gzip
import subprocess
from pathlib import Path

#: Where Debian's package `locales` puts the sources.
CHARMAPS = Path("/usr/share/i18n/charmaps")
#: A locale in which a backslash may be a part of a character.
GB18030 = "zh_CN.GB18030"
#: Those that quoting is tried in.
TRIED = ("C", "C.UTF-8", GB18030)


def why_not() -> str:
    """Return why locales cannot be made here; empty if they can."""
    return "" if any(CHARMAPS.glob("GB18030*")) else "no sources of locales: `invoke dev.packages` installs them"


def make_locale(name: str, folder: Path) -> None:
    """Make a locale such as zh_CN.GB18030 in a folder, for LOCPATH; whoever else makes it there is waited for."""
    source, charmap = name.split(".")
    command = ["localedef", "-c", "--no-archive", "-i", source, "-f", charmap, str(folder / name)]
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / name / "LC_CTYPE").exists():
            return
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (folder / name / "LC_CTYPE").exists(), done.stderr


def variables(name: str, folder: Path | None) -> dict[str, str]:
    """Return the variables that choose a locale; `folder`: where `make_locale` put it."""
    return {"LC_ALL": name} if name.startswith("C") else {"LC_ALL": name, "LOCPATH": str(folder)}


def sequences(charmap: Path) -> set[bytes]:
    """Return the bytes of all characters of a charmap, as its source has them (the first and the last of a range)."""
    text = gzip.decompress(charmap.read_bytes()).decode("latin-1")
    escape = next((line.split()[1] for line in text.splitlines() if line.startswith("<escape_char>")), "\\")
    body = text.partition("\nCHARMAP")[2].partition("\nEND CHARMAP")[0]
    found = set()
    for line in body.splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[0].startswith("<"):
            codes = fields[1].split(escape)[1:]
            if codes and all(code[0] == "x" for code in codes):
                found.add(bytes(int(code[1:], 16) for code in codes))
    return found
