"""What rsync starts where it would start ssh: hands rsync's pipes to the process that holds the login.

Runs as a program of its own, `python -I -S -E handover.py DOOR HOST COMMAND...`, and imports nothing of ours: it starts
in a few milliseconds. DOOR is the number of a socket inherited from that process, through rsync.
"""

from __future__ import annotations

import os
import socket
import sys

#: What ssh itself exits with when the link broke.
LINK_BROKE = 255


def main() -> int:
    """Hand over rsync's side of the command, wait for the command's exit status and return it."""
    door, command = int(sys.argv[1]), sys.argv[3:]
    # Only this process keeps `leash`: when it dies, the other end notices.
    leash, other_end = socket.socketpair()
    with socket.socket(fileno=door) as sock:
        socket.send_fds(sock, [os.fsencode("\0".join(command))], [0, 1, other_end.fileno()])
    other_end.close()
    os.close(0)
    os.close(1)
    status = leash.recv(1)
    return status[0] if status else LINK_BROKE


if __name__ == "__main__":
    sys.exit(main())
