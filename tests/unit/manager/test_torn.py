"""A cache file that was cut anywhere: what is torn is never believed, by whoever reads it, and costs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.manager.records import parse_records
from tests.unit.manager.test_records import records, written

if TYPE_CHECKING:
    from locusts_fab.manager.records import Record

#: What a cache file holds: fifty records, as a manager writes them.
FIFTY = st.lists(records, min_size=50, max_size=50)


def whole_before(lines: list[bytes], cut: int) -> int:
    """Count the lines that lie wholly before a byte."""
    count = 0
    for line in lines:
        cut -= len(line)
        if cut < 0:
            break
        count += 1
    return count


@settings(max_examples=5, deadline=None)
@given(FIFTY)
def test_cut_at_every_byte(made: list[Record]) -> None:
    lines = [written(record) for record in made]
    data = b"".join(lines)
    assert parse_records(data) == (made, len(data))
    for cut in range(len(data)):
        whole = whole_before(lines, cut)
        assert parse_records(data[:cut]) == (made[:whole], sum(map(len, lines[:whole]))), cut


@settings(max_examples=5, deadline=None)
@given(FIFTY, records)
def test_cut_at_every_byte_and_written_to_again(made: list[Record], later: Record) -> None:
    """What is appended to a torn line makes no record with it, but what comes after that counts."""
    lines = [written(record) for record in made]
    data, more = b"".join(lines), written(later)
    for cut in range(len(data)):
        whole = whole_before(lines, cut)
        is_torn = cut > sum(map(len, lines[:whole]))
        believed, read = parse_records(data[:cut] + more + more)
        assert believed == [*made[:whole], *[later] * (1 if is_torn else 2)], cut
        assert read == cut + 2 * len(more)


@settings(max_examples=5, deadline=None)
@given(FIFTY, st.data())
def test_what_one_look_leaves_the_next_one_brings(made: list[Record], drawn: st.DataObject) -> None:
    """A look may meet a record that is half written; the next one goes on where the last whole one ended."""
    data = b"".join(map(written, made))
    for first in range(0, len(data), 7):
        second = drawn.draw(st.integers(first, len(data)))
        before, read = parse_records(data[:first])
        between, more = parse_records(data[read:second])
        after, rest = parse_records(data[read + more :])
        assert before + between + after == made
        assert read + more + rest == len(data)
