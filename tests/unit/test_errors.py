"""Errors: what they say, what they carry, and the exit code that each comes to."""

from __future__ import annotations

import pytest

from locusts_fab.errors import (
    ConfigError,
    ExitStatus,
    HostError,
    LocustsError,
    PlanError,
    SchedulerError,
    StateError,
    TransferError,
)


def test_the_exit_codes_that_scripts_rely_on() -> None:
    assert {status.name: int(status) for status in ExitStatus} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "CONNECTION": 3,
        "SCHEDULER": 4,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LocustsError("x"), 2),
        (ConfigError("locusts.toml", ["x"]), 2),
        (PlanError("x"), 2),
        (StateError("x"), 2),
        (HostError("x"), 3),
        (TransferError("x"), 3),
        (SchedulerError("x"), 4),
    ],
)
def test_each_error_has_its_exit_code(error: LocustsError, code: int) -> None:
    assert int(error.exit_status) == code
    assert isinstance(error, LocustsError)


def test_a_hint_stands_below_the_message() -> None:
    assert str(LocustsError("no such file")) == "no such file"
    assert str(LocustsError("no such file", hint="make one")) == "no such file\n  make one"
    assert LocustsError("no such file", hint="make one").message == "no such file"


def test_a_config_error_names_the_file_on_every_line() -> None:
    error = ConfigError("a b/locusts.toml", ["x: unknown key", "y: missing"])
    assert str(error) == "a b/locusts.toml: x: unknown key\na b/locusts.toml: y: missing"
    assert error.path == "a b/locusts.toml"
    assert error.problems == ("x: unknown key", "y: missing")


def test_errors_carry_data() -> None:
    assert PlanError("x", task_ids=["a", "b"]).task_ids == ("a", "b")
    assert PlanError("x").task_ids == ()
    assert TransferError("x", stderr="disk full").stderr == "disk full"
    assert HostError("x", hint="y").hint == "y"
