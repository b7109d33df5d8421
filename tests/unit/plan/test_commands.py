"""Files of commands: which tasks they give, and what is said of a line that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locusts_fab.errors import PlanError
from locusts_fab.plan.commands import from_command_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("data", "commands"),
    [
        (b"echo a\necho b\n", ["echo a", "echo b"]),
        (b"echo a\necho b", ["echo a", "echo b"]),
        (b"\xef\xbb\xbf" + b"echo a\r\necho b\r\n", ["echo a", "echo b"]),
        (b"\n# one\n  # two\n\t\necho a # three\n", ["echo a # three"]),
        (b"  echo a \n", ["  echo a "]),
        (b"cat '\xff' <id>\n", ["cat '\udcff' <id>"]),
        ("echo a\u2028b\x0bc\n".encode(), ["echo a\u2028b\x0bc"]),
    ],
)
def test_a_file_of_commands(tmp_path: Path, data: bytes, commands: list[str]) -> None:
    path = tmp_path / "commands.txt"
    path.write_bytes(data)
    source = from_command_file(path, "commands.txt")
    assert list(source.commands) == commands
    assert list(source.rows()) == [(f"{number:06d}", {"id": f"{number:06d}"}) for number in range(1, len(commands) + 1)]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b" \t\n"])
def test_a_file_without_commands(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "commands.txt"
    path.write_bytes(data)
    with pytest.raises(PlanError, match=r"commands\.txt: there is no command in it"):
        from_command_file(path, "commands.txt")
