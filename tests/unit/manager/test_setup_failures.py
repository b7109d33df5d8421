"""Failures of `setup` in words: those that are alike are told once."""

from __future__ import annotations

import pytest

from locusts_fab.manager.setup_failures import failed_setups

LOAD = "setup failed: entry 1, exit code 127 (module load x): "


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ([], []),
        ([("n1", "finished"), ("n2", "setup failing"), ("n3", "")], []),
        ([("n1", f"{LOAD}module: not found")], [f"{LOAD}module: not found [on n1]"]),
        # what each node printed may differ
        ([("n2", f"{LOAD}job 7"), ("n1", f"{LOAD}job 8"), ("n1", f"{LOAD}job 9")], [f"{LOAD}job 7 [on n1, n2]"]),
        ([(f"n{n}", f"{LOAD}x") for n in range(5)], [f"{LOAD}x [on n0, n1, n2, and 2 more]"]),
        (
            [("n1", f"{LOAD}x"), ("n2", "setup failed: entry 2, exit code 1 (false)"), ("n3", "finished")],
            [f"{LOAD}x [on n1]", "setup failed: entry 2, exit code 1 (false) [on n2]"],
        ),
        ([("", "setup failed: whatever")], ["setup failed: whatever"]),
    ],
)
def test_what_is_alike_is_told_once(left: list[tuple[str, str]], told: list[str]) -> None:
    assert list(failed_setups(left)) == told
