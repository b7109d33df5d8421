"""What rsync starts in place of ssh: it hands rsync's pipes to the process that holds the login.

A program of its own, `python -I -S -E fake_ssh.py CONTROL HOST COMMAND...`, which imports nothing of ours, so that it
starts in a few milliseconds. CONTROL is the number of a socket inherited from that process, through rsync.
`rsync_process.py` says how the two work together.
"""

from __future__ import annotations

import os
import socket
import sys

#: What ssh itself exits with when the link broke.
LINK_BROKE = 255


def main() -> int:
    """Hand over the command and our stdin and stdout, and wait for the command to end.

    :returns: its exit status; `LINK_BROKE` if none came.
    """
    control, command = int(sys.argv[1]), sys.argv[3:]
    # Only this process keeps `leash`: when it dies, the other end notices.
    leash, other_end = socket.socketpair()
    with socket.socket(fileno=control) as sock:
        socket.send_fds(sock, [os.fsencode("\0".join(command))], [0, 1, other_end.fileno()])
    other_end.close()
    os.close(0)
    os.close(1)
    status = leash.recv(1)
    return status[0] if status else LINK_BROKE


if __name__ == "__main__":
    sys.exit(main())
