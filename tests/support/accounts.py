"""Another account than root's, for what root may do whatever modes say."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: Nobody.
_NUMBER = 65534


def give_away(folder: Path) -> list[str]:
    """Give a folder, which other accounts can reach, and all in it to an account that modes stop.

    Whoever is not root is such an account, so then there is nothing to do.

    :returns: the words that start a program as that account.
    """
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root needs setpriv to be somebody else")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _NUMBER, _NUMBER, follow_symlinks=False)
    return ["setpriv", f"--reuid={_NUMBER}", f"--regid={_NUMBER}", "--clear-groups"]
