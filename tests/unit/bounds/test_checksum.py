"""The checksum is that of POSIX cksum, however the bytes come."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.bounds.checksum import Checksum


def checksum_of(*pieces: bytes) -> tuple[int, int]:
    made = Checksum()
    for piece in pieces:
        made.update(piece)
    return made.value, made.size


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"a", b"123456789", bytes(range(256)), b"\0" * 255, b"\0" * 256, b"\xff" * 65_537]
)
def test_it_is_what_cksum_prints(data: bytes) -> None:
    said = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout
    assert said == b"%d %d\n" % checksum_of(data)


def test_a_known_sum() -> None:
    """The example of the standard's table of CRCs: `cksum` of the digits 1 to 9."""
    assert checksum_of(b"123456789") == (930766865, 9)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_it_does_not_matter_where_pieces_end(pieces: list[bytes]) -> None:
    assert checksum_of(*pieces) == checksum_of(b"".join(pieces))


@given(st.binary(min_size=1, max_size=200), st.data())
def test_no_single_change_goes_unseen(data: bytes, draw: st.DataObject) -> None:
    at, mask = draw.draw(st.integers(0, len(data) - 1)), draw.draw(st.integers(1, 255))
    changed = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
    assert checksum_of(changed) != checksum_of(data)
    assert checksum_of(data[:at]) != checksum_of(data)
