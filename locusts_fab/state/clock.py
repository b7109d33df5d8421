"""A clock that nobody sets: what a person, a time server or a laptop that wakes up does to the time of day is not seen.

Its readings are compared with later ones, of other processes too, as long as the machine was not started anew.
"""

from __future__ import annotations

import secrets
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Reading(NamedTuple):
    """A reading of the clock.

    :param boot: what only readings since the same start of this machine have.
    :param awake_s: how long the machine has run since then.
    :param up_s: the same, with the time that it slept.
    """

    boot: str
    awake_s: float
    up_s: float


def read_clock() -> Reading:
    """Return what the clock says now."""
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
    return Reading(_boot(), time.monotonic(), up_s)


@cache
def _boot() -> str:
    """Return the id of this start of the machine; where there is none, readings of this process alone compare."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return secrets.token_hex(8)
