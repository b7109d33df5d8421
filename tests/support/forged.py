"""Text that stands where a number belongs, as somebody may put it there who means no good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from locusts_fab.bounds.budget import ANSWER, Most
from locusts_fab.hosts.base import Result

if TYPE_CHECKING:
    from collections.abc import Callable

#: No whole number of ours: what `int` takes, what it raises at, what nothing can hold.
NO_NUMBERS = (
    "", " ", "-1", "+1", "1.5", "1e3", "1_000", " 1", "1 ", "0x1", "1\x00", "one",
    "²", "٣", "१", "1²", "٣٤٥", "\udcb2",
    str(10**30), "9" * 4301, "1" + "0" * 5000, str(2**63), str(-(2**63) - 1),
)  # fmt: skip
#: No times of ours.
NO_TIMES = ("", "inf", "-inf", "nan", "NaN", "infinity", "1e999", "1e5", "-1.0", "1_0.5", "٣.5", "²", "1.2.3",
            "9" * 400, "253402300800", str(10**30), "1." + "9" * 5000)  # fmt: skip

#: Any text, and those above more often than not.
texts = st.one_of(st.sampled_from((*NO_NUMBERS, *NO_TIMES)), st.text(st.characters(codec=None), max_size=12))


def encoded(text: str) -> bytes:
    """Return a text as bytes that may be no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


class Liar:
    """A host that answers what a function makes of the arguments that its script got."""

    name = "cluster"

    def __init__(self, answer: Callable[[tuple[str, ...]], bytes]) -> None:
        self.answer = answer

    def run(
        self,
        script: str,
        *args: str,
        timeout_s: float = 0,
        quiet_s: float = 0,
        waits_for: str = "",
        most: Most = ANSWER,
    ) -> Result:
        """Answer, and say that all went well."""
        del script, timeout_s, quiet_s, waits_for, most
        return Result(0, self.answer(args), "")

    def close(self) -> None:
        """Do nothing."""
