"""The rule for the ids of tasks: each becomes the name of a folder and of a log among the results."""

from __future__ import annotations

import re

#: Names under outdir that are ours; `Results` in layout.py and `replica/` make them.
_RESERVED = re.compile(r"\.{1,2}|logs|(tasks|outputs|modified)\.tsv|batch_[0-9]{3,}")
#: `<id>.log` must be a file name, which has at most 255 bytes.
LONGEST_ID_BYTES = 251


def why_id_is_unusable(task_id: str) -> str | None:
    """Return why no task can have this id, in words; None if one can."""
    if _RESERVED.fullmatch(task_id):
        return "that name is taken under outdir"
    if len(task_id.encode("utf-8", "surrogateescape")) > LONGEST_ID_BYTES:
        return f"it has more than {LONGEST_ID_BYTES} bytes"
    if "/" in task_id or "\0" in task_id:
        return "it cannot be a file name"
    return None
