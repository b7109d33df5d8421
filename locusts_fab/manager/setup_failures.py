"""What managers record of a `setup` that failed, in words for a person: failures that are alike are told once.

`report_setup` in templates/manager/setup.sh writes these reasons.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from locusts_fab.manager.records import read_leave_reason
from locusts_fab.model.swarms import LeaveReason
from locusts_fab.text import first_few

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What failures have in common that are alike: the entry, how it ended, and its text. What it printed last may differ.
_KIND = re.compile(r"setup failed: entry [0-9]+, [a-z ,]+ [0-9A-Z]+ ")
_SHOWN_HOSTS = 3


def failed_setups(left: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each kind of failure of `setup`.

    :param left: host and reason of each manager that left; other reasons are passed over.
    """
    kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for host, reason in left:
        if read_leave_reason(reason) is LeaveReason.SETUP:
            found = _KIND.match(reason)
            kinds[found[0] if found else reason].append((host, reason))
    for alike in kinds.values():
        hosts = sorted({host for host, _ in alike if host})
        yield f"{alike[0][1]} [on {', '.join(first_few(hosts, _SHOWN_HOSTS))}]" if hosts else alike[0][1]


def advice(log: str) -> str:
    """Return what to do about it.

    :param log: the file on the target with all that was printed.
    """
    fix = "fix `setup` of the target, then `locusts submit`; where an exit code means nothing, end it with `|| true`"
    return f"{fix}; all that was printed is in {log}"
