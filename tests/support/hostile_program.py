"""What stands on a hostile host in the place of bash, tar, rsync and the others; see `hostile.py`.

    usage: hostile_program.py ARMED REAL [ARGUMENT]...

ARMED is a file with the hostile answers, REAL the program in whose place it stands. What no answer is for, REAL does.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, NoReturn

BEGIN = b"--locusts-begin--\n"
END = b"\n--locusts-end-- "
#: How what is read as a script by `bash -s` ends.
_LAST = b"exit\n}\n"
_MARK = re.compile(rb"==locusts-[0-9a-f]{16}==")


def main() -> None:
    """Give a hostile answer, or none."""
    armed, real, *arguments = sys.argv[1:]
    reads_script = arguments == ["-s"]
    script = _read_script() if reads_script else b""
    asked = script or "\0".join(arguments).encode("utf-8", "surrogateescape")
    try:
        answers = json.loads(Path(armed).read_text(encoding="utf-8"))
    except FileNotFoundError:  # just now
        answers = []
    for number, answer in enumerate(answers):
        if answer["match"].encode("utf-8", "surrogateescape") in asked and _is_due(armed, number, answer):
            _Answer(armed, real, arguments, script).give(answer["does"])
    if reads_script:
        os.execv(real, [real, _file_of(armed, script)])  # noqa: S606 - to be it, with its stdin
    os.execv(real, [real, *arguments])  # noqa: S606 - the same


def _read_script() -> bytes:
    """Return what is to be run; the other side keeps stdin open."""
    script = b""
    while not script.endswith(_LAST) and (piece := os.read(0, 1 << 16)):
        script += piece
    return script


def _is_due(armed: str, number: int, answer: dict[str, Any]) -> bool:
    """Note that an exchange came, and return whether it is answered: not the first few, if so many are let pass."""
    with Path(f"{armed}.sprung").open("a+", encoding="utf-8") as file:
        file.write(f"{number}\n")
        file.seek(0)
        came = file.read().splitlines().count(str(number))
    return came > int(answer["after"])


def _file_of(armed: str, script: bytes) -> str:
    path = Path(f"{armed}.{os.getpid()}")
    path.write_bytes(script)
    return str(path)


class _Answer:
    """A hostile answer: some steps, one after another."""

    def __init__(self, armed: str, real: str, arguments: list[str], script: bytes) -> None:
        self._armed, self._real, self._arguments, self._script = armed, real, arguments, script

    def give(self, steps: list[list[Any]]) -> NoReturn:
        """Do all steps, and end; whoever hangs up ends this too."""
        try:
            for name, *words in steps:
                getattr(self, name)(*words)
        except BrokenPipeError:
            os._exit(1)
        os._exit(0)

    def _is_armed(self) -> bool:
        return Path(self._armed).exists()

    def prints(self, text: str, stream: int = 1) -> None:
        """Print something."""
        data = text.encode("latin-1")
        mark = _MARK.search(self._script)
        self._write(data.replace(b"@MARK@", mark[0] if mark else b""), stream)

    def goes_on(self, text: str, pause_s: float, stream: int = 1) -> None:
        """Print something again and again, for ever."""
        data = text.encode("latin-1") * (1 if pause_s else 1 + 65536 // len(text))
        while self._is_armed():
            self._write(data, stream)
            time.sleep(pause_s)

    def is_silent(self) -> None:
        """Say nothing, for ever."""
        while self._is_armed():
            time.sleep(0.05)

    def ends(self, status: int) -> None:
        """End at once."""
        os._exit(status)

    def dies(self, number: int) -> None:
        """End by a signal."""
        os.kill(os.getpid(), number)

    def changes(self, pattern: str, text: str) -> None:
        """Do what was asked, and print something else."""
        words = [self._real, _file_of(self._armed, self._script)] if self._script else [self._real, *self._arguments]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
        replacement = text.encode("latin-1")
        self._write(re.sub(pattern.encode("latin-1"), lambda _: replacement, done.stdout, count=1, flags=re.DOTALL), 1)

    def takes(self, at: int, *words: str) -> None:
        """Do what was asked, with more arguments, which come after so many."""
        command = [self._real, *self._arguments[:at], *words, *self._arguments[at:]]
        os.execv(self._real, command)  # noqa: S606 - to be it, with its stdin

    def hears(self, pattern: str, text: str) -> None:
        """Do what was asked, but hear something else at first."""
        with subprocess.Popen([self._real, *self._arguments], stdin=subprocess.PIPE) as process:
            threading.Thread(target=self._pass_on, args=(process.stdin, pattern, text), daemon=True).start()
            self.ends(process.wait())

    def _pass_on(self, stdin: IO[bytes], pattern: str, text: str) -> None:
        old, new = pattern.encode("latin-1"), text.encode("latin-1")
        while data := os.read(0, 1 << 16):
            stdin.write(data.replace(old, new))
            stdin.flush()
            old = b"\0 only the first"
        stdin.close()

    def _write(self, data: bytes, stream: int) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(stream, view) :]


if __name__ == "__main__":
    main()
