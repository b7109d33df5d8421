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


@pytest.mark.parametrize(
    "commands",
    [
        ["echo one \\\n  two", "echo three"],
        ["cat <<A > out\necho one\n# two\n\nA", "echo b"],
        ["cat <<-'A B' <<C\nx\n\tA B\ny\nC"],
        ["for i in 1 2; do\n  echo $i\ndone", "echo done"],
        ["if true\nthen echo \\<id>\nfi > <id>"],
        ["while read -r a\ndo echo $a; done < <shared>x"],
        ["echo 'one\n# two'", 'echo "three\nfour"', "echo $(ls\n)"],
        ["a=(1\n2)", "true &&\n  false ||\n  true", "true |\ncat"],
        ["case x in\nx) echo;;\nesac", "{ echo a\n}", "(\necho a\n)", "f() {\n:\n}; f"],
        ["echo a # b \\", "echo c \\\\", "echo 'a\\'", "echo a\\\n"],
        ["awk '{ if ($1 > 2) print }' x", 'echo "$(date)" ; [[ -e x ]]', "echo ${x:-1} $((1 + 2)) `date`", "a=1 b"],
    ],
)
def test_a_command_may_take_several_lines(tmp_path: Path, commands: list[str]) -> None:
    path = tmp_path / "commands.txt"
    path.write_text("\n".join(["# begin", *commands]), encoding="utf-8")
    source = from_command_file(path, "c.txt")
    assert list(source.commands) == [command.removesuffix("\n") for command in commands]
    assert bool(source.warnings) == any("\n" in command for command in source.commands)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true\necho )\n", "line 2: what begins here is no command"),
        ("echo don't\necho b\necho c", "line 1: what begins here does not end"),
        ("true\n\ncat <<A\nx\n", "line 3: what begins here does not end"),
        ("for i in 1; do\ntrue\n", "line 1: what begins here does not end"),
        ("done\n", "line 1: what begins here is no command"),
        ("echo 'x\n" + "echo b\n" * 300 + "'", "line 1: what begins here does not end"),
    ],
)
def test_a_line_that_is_no_command_is_refused_with_its_number(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "commands.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        from_command_file(path, "c.txt")
    assert caught.value.message.startswith(f"c.txt: {message}")
    assert caught.value.hint


@pytest.mark.parametrize("line", ["#SBATCH --mem=4G", "#SWARM -g 4", "#DISBATCH BARRIER", "#DSQ --x", "  #PBS -l x"])
def test_directives_of_other_programs_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "commands.txt"
    path.write_text(f"# a remark\n{line}\ntrue\n", encoding="utf-8")
    source = from_command_file(path, "c.txt")
    assert list(source.commands) == ["true"]
    (warning,) = source.warnings
    assert f"line 2: {line.strip()}" in warning
