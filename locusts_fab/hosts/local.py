"""The machine that this program runs on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from locusts_fab.errors import HostError
from locusts_fab.hosts.base import Result, frame, unframe


class LocalHost:
    """The machine that this program runs on; it is no `Carrier`, for files are linked or copied here."""

    name = "this machine"

    def run(self, script: str, *args: str, timeout_s: float | None = None) -> Result:
        """Run a bash script here, without anybody's start-up files; see `Host.run`."""
        try:
            process = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-s"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C in the terminal is for us, not for a script half-way
            )
        except OSError as error:
            raise HostError(f"bash could not be started: {error}", hint="install bash 4.2 or newer") from error
        with process:
            try:
                stdout, stderr = process.communicate(frame(script, args), timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise HostError(f"{self.name}: a script did not end within {timeout_s:g} s") from error
        return unframe(stdout, stderr, self.name)

    def close(self) -> None:
        """Do nothing, for there is no connection."""
