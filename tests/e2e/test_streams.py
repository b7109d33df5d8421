"""Whatever the standard streams lead to, and whatever the locale: no command breaks on it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.locales import make_locale, variables, why_not
from tests.support.workspace import HERE, REPOSITORY, Workspace

ARROW = """
[swarms.s]
command = "echo '→ é' && cat f_<id>.txt > out_<id>.txt"
indir = "in"
inputs = ["f_<id>.txt"]
outputs = ["out_<id>.txt"]
"""
LATIN = "en_US.ISO-8859-15"


def typed(folder: Path | bytes, line: str, **env: str) -> tuple[int, bytes, bytes]:
    """Run a line of bash in which `locusts` is the program: its exit code, and what it printed."""
    program = f'locusts() {{ {shlex.quote(sys.executable)} -m locusts_fab "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", program + line],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **env},
        capture_output=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert b"Traceback" not in said, said
    assert b"should not happen" not in said, said
    assert b"Exception ignored" not in said, said
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def ran(workspace: Workspace) -> Path:
    """Return the folder of a swarm that ran, whose commands have characters that not all terminals have."""
    workspace.pairs(2)
    workspace.write(HERE + ARROW)
    assert workspace.locusts("run")[0] == 0
    return workspace.folder


@pytest.mark.parametrize(
    "line",
    [
        "locusts status --help | head -n 1",
        "locusts submit --dry-run | true",
        "locusts status --json | head -c 1",
        "locusts logs 0 --raw | true",
        "locusts check 2>&1 | true",
        "locusts --print-completion bash | head -n 1",
    ],
)
def test_a_reader_that_goes(ran: Path, line: str) -> None:
    code, _, err = typed(ran, f"set -o pipefail\n{line}")
    assert (code, err) == (0, b"")


@pytest.mark.parametrize("line", ["status", "--help", "submit --help", "--version", "logs 0 --raw", "check"])
def test_a_full_disk_is_told(ran: Path, line: str) -> None:
    code, _, err = typed(ran, f"locusts {line} > /dev/full")
    assert code == 3
    assert err.startswith(b"what this command prints cannot be written: No space left on device\n")


def test_notes_that_cannot_be_written_stop_nothing(ran: Path) -> None:
    for line in ("submit --redo 2> /dev/full", "collect --wait 2>&1 | true; exit ${PIPESTATUS[0]}"):
        assert typed(ran, f"locusts {line}") == (0, b"", b"")
    assert (ran / "results/s/0/out_0.txt").read_text() == "0\n"


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(ran: Path, closed: str) -> None:
    shutil.rmtree(ran / "results")
    for line in ("status", "collect", "logs 0", "submit"):
        assert typed(ran, f"locusts {line} {closed}")[0] == 0
    assert (ran / "results/s/0/out_0.txt").read_text() == "0\n"


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "ascii:strict"}], ids=str)
def test_a_terminal_without_our_characters(ran: Path, env: dict[str, str]) -> None:
    for line in ("status", "logs 0", "submit --dry-run", "check", "collect", "status --json"):
        code, out, _ = typed(ran, f"locusts {line}", **env)
        assert code == 0
        assert out.isascii()
    assert b"-> \\xe9" in typed(ran, "locusts logs 0", **env)[1]
    own_tasks = "echo 'import locusts_fab; namespace = locusts_fab.collection' > tasks.py"
    code, out, _ = typed(ran, f"{own_tasks}; {shlex.quote(sys.executable)} -m invoke logs 0", **env)
    assert (code, out.isascii(), b"-> \\xe9" in out) == (0, True, True)


def test_the_plain_locale(ran: Path) -> None:
    for env in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
        for line in ("status", "logs 0", "submit --redo", "collect --wait"):
            assert typed(ran, f"locusts {line}", **env)[0] == 0


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_locale_of_another_encoding(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    locales = tmp_path_factory.mktemp("locales")
    make_locale(LATIN, locales)
    env = variables(LATIN, locales)
    workspace.pairs(2)
    workspace.write(HERE + ARROW)
    for line in ("run", "status", "check", "submit --dry-run"):
        assert typed(workspace.folder, f"locusts {line}", **env)[0] == 0
    assert "→ é\n" in (workspace.folder / "results/s/logs/0.log").read_text("utf-8")
    assert b"printed:\n-> \xe9\n" in typed(workspace.folder, "locusts logs 0", **env)[1]


def test_a_folder_whose_name_is_no_text(ran: Path) -> None:
    folder = os.fsencode(ran) + b"/\xff"
    (ran / os.fsdecode(b"\xff")).mkdir()
    for name in ("in", "locusts.toml"):
        (ran / name).rename(ran / os.fsdecode(b"\xff") / name)
    for line in (
        "run",
        "status",
        "status --json",
        "logs 0",
        "check",
        "collect",
        "submit --dry-run",
        "submit --redo",
        "collect --wait",
        "clean",
    ):
        assert typed(folder, f"locusts {line}")[0] == 0, line
    assert (
        typed(
            folder,
            "rm -r .locusts && locusts submit --overwrite && rm -r .locusts/s && locusts attach;"
            " locusts collect --wait --overwrite",
        )[0]
        == 0
    )


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can be another user")
def test_a_user_who_is_not_listed(workspace: Workspace) -> None:
    workspace.pairs(2)
    workspace.write(HERE + ARROW)
    with tempfile.TemporaryDirectory() as name:  # in a folder that others may enter
        folder = shutil.move(workspace.folder, name)
        subprocess.run(["chown", "-R", "54321", name], check=True)
        program = f"{shlex.quote(sys.executable)} -m locusts_fab"
        for line in ("run", "check", "status", "clean"):
            words = f"env -u HOME -u USER -u LOGNAME setpriv --reuid=54321 --clear-groups {program} {line}"
            assert typed(Path(folder), words)[0] == 0, line


@pytest.mark.parametrize("config", [".", "/dev/null", "bytes", "", "none.toml", "nul"])
def test_a_config_that_is_none(workspace: Workspace, config: str) -> None:
    (workspace.folder / "bytes").write_bytes(b"\x7fELF\0\xd0\xff")
    (workspace.folder / "nul").write_bytes(b"\0\0")
    code, out, err = typed(workspace.folder, f"locusts status --config '{config}'")
    assert (code, out) == (2, b"")
    assert len(err.splitlines()) <= 2
