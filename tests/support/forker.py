"""The program in a process that is there at once: all is loaded already, and what it may take is measured.

Started as a program of its own, it reads a request a line and answers each with a line; `Forker` is the other side.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_REPOSITORY = Path(__file__).resolve().parents[2]
_MODULES = (
    "fabric",
    "rich.progress",
    "locusts_fab.cli.program",
    "locusts_fab.hosts.ssh",
    "locusts_fab.replica.merge",
    "locusts_fab.operations.check",
    "locusts_fab.operations.cancel",
    "locusts_fab.operations.collect",
    "locusts_fab.operations.submit",
)
#: What a command may take before the machine of the tests is in danger; what it should take is asserted.
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Done:
    """How a command ended.

    :param code: its exit code; negative if a signal ended it.
    :param is_late: it had to be ended.
    :param peak_mb: the most memory that it, or a program that it started, had at once.
    :param printed: what it printed on both streams; or, where they are apart, on standard output.
    :param errors: what it printed on standard error, where they are apart.
    """

    code: int
    is_late: bool
    peak_mb: float
    printed: str
    errors: str = ""


class Forker:
    """Runs the program as a user starts it, without the second that loading takes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self, *words: str, folder: Path, env: Mapping[str, str], knobs: Mapping[str, object], limit_s: float
    ) -> Done:
        """Run the program.

        :param folder: where it starts.
        :param env: variables, besides those of the tests.
        :param knobs: values of modules, as `module:name`, such as pauses.
        :param limit_s: when it is ended, for it must hang.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output = folder.parent.parent / "printed"
        request = {"words": words, "folder": str(folder), "env": dict(env), "knobs": dict(knobs), "limit_s": limit_s}
        return self._ask({**request, "output": str(output)}, output)

    def run_plain(self, *words: str, folder: Path, env: Mapping[str, str], limit_s: float) -> Done:
        """Run the program as it is, and keep its two streams apart.

        :param env: all variables that it has.
        """
        with tempfile.TemporaryDirectory() as place:
            output, errors = Path(place) / "out", Path(place) / "err"
            request = {"words": words, "folder": str(folder), "whole_env": dict(env), "limit_s": limit_s}
            return self._ask({**request, "output": str(output), "errors": str(errors)}, output, errors)

    def _ask(self, request: Mapping[str, object], output: Path, errors: Path | None = None) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code, is_late, peak_mb = json.loads(self._process.stdout.readline())
        texts = [each.read_text(encoding="utf-8", errors="replace") for each in (output, errors) if each]
        return Done(code, is_late, peak_mb, *texts)


def _serve(request: dict[str, Any]) -> tuple[int, bool, float]:
    """Do what a request asks for, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        _become(request)
    deadline, is_late = time.monotonic() + request["limit_s"], False
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), is_late, usage.ru_maxrss / 1024
        if time.monotonic() > deadline and not is_late:
            os.killpg(pid, signal.SIGKILL)
            is_late = True
        time.sleep(0.005)


def _become(request: dict[str, Any]) -> None:
    """Be the program, to its end."""
    code: object = 70
    try:
        os.setsid()
        errors = request.get("errors", os.devnull)
        with open(request["output"], "wb") as file, open(os.devnull, "rb") as nothing, open(errors, "wb") as other:  # noqa: PTH123 - descriptors
            for descriptor, source in ((0, nothing), (1, file), (2, other if "errors" in request else file)):
                os.dup2(source.fileno(), descriptor)
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, _MOST_BYTES))
        os.chdir(request["folder"])
        if "whole_env" in request:
            os.environ.clear()
        os.environ.update(request.get("whole_env") or request["env"])
        for name, value in request.get("knobs", {}).items():
            _turn(name, value)
        sys.argv = ["locusts", *request["words"]]
        importlib.import_module("locusts_fab.__main__").main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _turn(name: str, value: object) -> None:
    """Set a value of a module, of something in it, or the default of an argument."""
    module, _, path = name.partition(":")
    owner: Any = importlib.import_module(module)
    *parts, last = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    if isinstance(owner, dict):
        owner[last] = value
    else:
        assert hasattr(owner, last), name
        setattr(owner, last, tuple(value) if isinstance(value, list) else value)


def _main() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_serve(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
