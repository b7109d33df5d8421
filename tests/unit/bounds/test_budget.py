"""What one exchange may bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.bounds import budget
from locusts_fab.bounds.budget import Account, FreeSpace, Most, Tail, TooManyEntriesError, TooMuchError, entries_of

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.binary(max_size=40)), st.integers(0, 400))
def test_just_so_many_bytes_may_come(pieces: list[bytes], most: int) -> None:
    account = Account(Most(most, what="the list"))
    came = 0
    for piece in pieces:
        came += len(piece)
        if came > most:
            with pytest.raises(TooMuchError, match="the list has more than"):
                account.take(piece)
            return
        account.take(piece)


@given(st.lists(st.binary(max_size=40)), st.integers(0, 20))
def test_just_so_many_entries_may_come(pieces: list[bytes], most: int) -> None:
    account = Account(Most(entries=most, end=b"\n"))
    came = 0
    for piece in pieces:
        came += piece.count(b"\n")
        if came > most:
            with pytest.raises(TooManyEntriesError, match=f"more than {most} fields"):
                account.take(piece)
            return
        account.take(piece)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 100))
def test_the_end_of_what_came_is_kept(pieces: list[bytes], most: int) -> None:
    tail = Tail(most)
    for piece in pieces:
        tail.take(piece)
        assert len(tail._kept) <= 2 * most + len(piece)
    assert bytes(tail) == b"".join(pieces)[-most:]


def test_who_has_more_may_send_more() -> None:
    few, many = entries_of("a list", tasks=1), entries_of("a list", tasks=1_000_000)
    known = entries_of("a list", tasks=1, known=5_000_000, ends=3)
    assert few.entries is not None
    assert many.entries is not None
    assert known.entries is not None
    assert few.entries < 1_000_000 < many.entries
    assert known.entries > 3 * 5_000_000
    assert few.size < 100_000_000


def test_a_disk_is_not_filled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = FreeSpace(tmp_path)
    assert space.why_full() is None
    assert space.used() < 1_000_000_000  # others write, too
    monkeypatch.setattr(FreeSpace, "_look", lambda _self: (10_000_000, 1_000_000))
    assert "64 MB left" in (space.why_full() or "")
    monkeypatch.setattr(FreeSpace, "_look", lambda _self: (100_000_000_000, 10))
    space = FreeSpace(tmp_path)
    assert space.why_full() is None  # there were only few from the beginning
    space._least_files = budget._KEPT_FILES
    assert "more files" in (space.why_full() or "")
