"""The checksum of POSIX cksum, which every machine can make: by it a piece of a file is known to be whole.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/cksum.html. It takes the bits of each byte from the other end
than `zlib.crc32` does; so bytes are turned round before, and the sum after it.
"""

from __future__ import annotations

import zlib

_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BITS = 32


class Checksum:
    """The checksum of what comes piece by piece.

    :ivar size: how many bytes have come.
    """

    def __init__(self) -> None:
        self._state = 0xFFFFFFFF  # the register is empty then: zlib turns this round
        self.size = 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._state = zlib.crc32(data.translate(_TURNED), self._state)
        self.size += len(data)

    @property
    def value(self) -> int:
        """The checksum of all that has come."""
        length = self.size.to_bytes((self.size.bit_length() + 7) // 8, "little")
        turned = zlib.crc32(length.translate(_TURNED), self._state)
        return int(f"{turned:0{_BITS}b}"[::-1], 2)
