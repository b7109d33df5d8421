"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Undo what whoever starts us may have done to signals: nohup and `&` leave some ignored, for our children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
