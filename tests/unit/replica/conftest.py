"""What tests of sending and bringing back a tree share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.trees import Sides

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)
