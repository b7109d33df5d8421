"""Runs a module as `python -m` does, but holds it where it is told to, or lets it see another time.

    python hook.py '{"at": ["state/poll.py", "_poll_once", "call", 1], "gate": "/folder"}' locusts_fab status

At the chosen moment it makes the file `reached` in the folder and waits until there is a file `go`. Whoever started it
kills it there, or interrupts it, or breaks something, and lets it go on: no test has to be quick. Before, when all is
set up for the module, it makes the file `awake`.

* `at`: a file of the package or a folder of it, a function in it, `call` or `return`, and which of its calls; or a
  number: the so manieth call of anything at all by the package.
* `values`: constants of the package, by module and name; some are rendered into the managers too.
* `shift_s`: the clock is so many seconds ahead.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

PACKAGE = "/locusts_fab/"


class Hold:
    """The place at which the program is held.

    :param at: see the module's text.
    :param gate: a folder.
    """

    function: str
    event: str
    left: int

    def __init__(self, at: list[Any] | int, gate: str) -> None:
        file, self.function, self.event, self.left = at if isinstance(at, list) else ("", "", "call", at)
        self.file = f"{PACKAGE}{file}"
        self.reached, self.go = Path(gate, "reached"), Path(gate, "go")
        sys.setprofile(self.see if self.function else self.see_any)

    def see(self, frame: FrameType, event: str, _arg: object) -> None:
        """Look at a call or return of a function."""
        code = frame.f_code
        if event == self.event and code.co_name == self.function and self.file in code.co_filename:
            self.count()

    def see_any(self, frame: FrameType, event: str, _arg: object) -> None:
        """Look at any call that the package makes, of something written in C too."""
        if event in {"call", "c_call"} and self.file in frame.f_code.co_filename:
            self.count()

    def count(self) -> None:
        """Wait at the gate, if it is this call."""
        self.left -= 1
        if self.left == 0:
            sys.setprofile(None)
            self.reached.touch()
            while not self.go.exists():
                time.sleep(0.02)


def main() -> None:
    """Run the module."""
    told = json.loads(sys.argv[1])
    module = sys.argv[2]
    del sys.argv[1:3], sys.path[0]
    for name, value in told.get("values", {}).items():
        of, _, constant = name.rpartition(".")
        setattr(importlib.import_module(f"locusts_fab.{of}"), constant, value)  # before others read it
    if told.get("shift_s"):
        real, shift_s = time.time, told["shift_s"]
        time.time = lambda: real() + shift_s
    if told.get("at"):
        Hold(told["at"], told["gate"])
    # what the program does first, before it loads anything; Python's own start is not what a Ctrl-C is to meet here
    importlib.import_module("locusts_fab.early").leave_on_interrupt()
    Path(told["gate"], "awake").touch()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
