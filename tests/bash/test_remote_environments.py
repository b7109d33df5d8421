"""The scripts of `templates/remote` that make environments, reserve numbers in them, and remove them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.hosts.local import LocalHost
from locusts_fab.shell.scripts import RemoteExit, remote_script, templates_folder
from tests.support.environments import ID, OTHER_ID, founded, listing, reserved
from tests.support.remote_scripts import reserve

if TYPE_CHECKING:
    from locusts_fab.layout import Environment
    from tests.support.remote_scripts import Run

FOLDER = templates_folder() / "remote"
HOST = LocalHost().run('printf %s "${HOSTNAME:-localhost}"').text
ODD = ["a b", "it's", "$(touch x)", "new\nline", "-rf", "é", "back\\slash", "*", "tab\there"]


NEED = ["list_outputs", "poll", "read_plan", "reserve", "scan_tree", "slurm_start", "start_detached"]


@pytest.mark.parametrize("name", NEED)
def test_where_there_is_no_environment(run: Run, tmp_path: Path, name: str) -> None:
    result = run(name, str(tmp_path / "nowhere"), ID, "", "1", "1", "1", "%i", "")
    assert result.exit_status == RemoteExit.NO_ENVIRONMENT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["fence", "mark_gone", "mark_left", "remove", "stop", "unpack_inputs"])
def test_where_there_is_nothing_left_to_do(run: Run, tmp_path: Path, name: str) -> None:
    result = run(name, str(tmp_path / "nowhere"), ID, f"1-0-{ID}")
    assert (result.exit_status, result.stdout, result.stderr) == (0, b"", "")
    assert list(tmp_path.iterdir()) == []


#: What each script that changes something is told about an environment; its id comes first.
WRITING: dict[str, list[str]] = {
    "fence": ["1"],
    "mark_gone": [f"1-0-{ID}"],
    "mark_left": [f"1-0-{ID}"],
    "remove": [],
    "reserve": ["a note", " ", "1", "1 9", "token"],
    "slurm_start": ["1", "1", "token"],
    "start_detached": ["1", "1-0", "token"],
    "stop": [f"1-0-{ID}"],
    "unpack_inputs": [],
}


@pytest.mark.parametrize("damage", ["another id", "no id"])
@pytest.mark.parametrize("name", WRITING)
def test_an_environment_that_is_not_ours_stays_as_it_is(
    run: Run, environment: Environment, name: str, damage: str
) -> None:
    root = Path(environment.root)
    reserved(environment, 1, "token")
    (root / f"exec/cache/1-0-{ID}.tsv").write_text("manager\t1-0\thost\t999999999\t1\t1.0\t5\t.\n")
    (root / "inputs/000001.tar").touch()
    if damage == "no id":
        (root / f"exec/id.{ID}").unlink()
    before = listing(root)
    asked = OTHER_ID if damage == "another id" else ID
    result = run(name, environment.root, asked, *WRITING[name])
    assert result.exit_status == RemoteExit.FOREIGN
    assert listing(root) == before
    if name == "reserve" and damage == "another id":
        assert result.text == f"{ID}\tme\tlaptop\t/home/me/project\t1700000000\n"


def test_an_environment_is_made_with_its_id_and_its_note(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "it's $(a) new" / "root"
    for _ in range(2):  # the reply may be lost
        assert reserve(run, root, "token").exit_status == 0
        assert sorted(path.name for path in root.iterdir()) == ["exec"]
        assert sorted(path.name for path in (root / "exec").iterdir()) == [f"id.{ID}", "started.1"]
    assert (root / f"exec/id.{ID}").read_text() == "me\tlaptop\n"
    assert (root / "exec/started.1/token").read_text() == "token\n"
    assert stat.S_IMODE((root / "exec").stat().st_mode) == 0o700
    assert reserve(run, root, "token", id_=OTHER_ID).exit_status == RemoteExit.FOREIGN


def test_a_number_is_reserved_for_one(run: Run, environment: Environment) -> None:
    root = Path(environment.root)
    assert reserve(run, root, "mine", note="").exit_status == 0
    before = listing(root)
    other = reserve(run, root, "another", note="")
    assert (other.exit_status, other.text) == (RemoteExit.TAKEN, "1\n")
    assert listing(root) == before


@pytest.mark.parametrize("known", [" ", " 1:another ", " 11:mine ", " 1:mine.but "])
def test_whoever_does_not_know_all_submissions_gets_no_number(run: Run, environment: Environment, known: str) -> None:
    root = Path(environment.root)
    reserved(environment, 1, "mine")
    before = listing(root)
    other = reserve(run, root, "second", 2, known=known, note="")
    assert (other.exit_status, other.text) == (RemoteExit.TAKEN, "1\n")
    assert listing(root) == before
    assert reserve(run, root, "second", 2, known=" 1:mine ", note="").exit_status == 0


def test_of_many_that_make_an_environment_at_once_one_does(tmp_path: Path) -> None:
    script = FOLDER / "reserve.sh"
    started = [
        subprocess.Popen(
            ["bash", script, tmp_path / "root", f"{number:08x}", "note", " ", "1", "1 9", f"token-{number}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(20)
    ]
    codes = [process.wait(120) for process in started]
    assert sorted(codes) == [0, *[int(RemoteExit.FOREIGN)] * 19]
    (winner,) = [number for number, code in enumerate(codes) if code == 0]
    (made,) = (tmp_path / "root/exec").glob("id.*")
    assert made.name == f"id.{winner:08x}"
    assert (tmp_path / "root/exec/started.1/token").read_text() == f"token-{winner}\n"
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["exec"]


def test_of_many_that_submit_at_once_at_most_one_does(environment: Environment) -> None:
    """They may mean the same number, or others."""
    words = ["bash", str(FOLDER / "reserve.sh"), environment.root, ID, "", " "]
    started = [
        subprocess.Popen([*words, str(number % 3 + 1), "1 9", f"token-{number}"], stdout=subprocess.DEVNULL)
        for number in range(20)
    ]
    codes = [process.wait(120) for process in started]
    assert set(codes) <= {0, int(RemoteExit.TAKEN)}
    there = [path.read_text() for path in Path(environment.root).glob("exec/started.*/token")]
    assert there == [f"token-{number}\n" for number, code in enumerate(codes) if code == 0]
    assert len(there) <= 1


def test_the_plan_of_an_environment(run: Run, environment: Environment) -> None:
    folder = Path(environment.absolute("exec"))
    note = f"id\t{ID}\tme\tlaptop\t/home/me/project\t1700000000\n".encode()
    assert run("read_plan", environment.root, "", "1000").stdout == note
    for number in (9, 10):
        made = reserved(environment, number, f"token-{number}")
        (made / "job").write_text(f"welcome\n{number};cluster\n")
    (folder / "started.10/chunks").write_text("8 9\n")
    (folder / "plan/000008").write_text("1\tone\ttrue\t.\nend\t1\tx\t.\n")
    (folder / "plan/000009").write_bytes(b"2\ttwo \xff\tfalse\t.\n3\tcut off\t.")
    (folder / "plan/.000010").write_text("half written")
    result = run("read_plan", environment.root, "", "1000")
    assert result.exit_status == 0
    head = note + b"submission\t10\ttoken-10\t8\t9\t10;cluster\nsubmission\t9\ttoken-9\t\t\t9;cluster\n"
    first = b"chunk\t000008\n1\tone\ttrue\t.\nend\t1\tx\t.\n"
    second = b"chunk\t000009\n2\ttwo \xff\tfalse\t.\n"
    assert result.stdout == head + first + second
    assert run("read_plan", environment.root, "", "10").stdout == head + first + b"more\n"
    assert run("read_plan", environment.root, "000008", "10").stdout == second
    assert run("read_plan", environment.root, "000009", "10").stdout == b""


def fill(environment: Environment) -> Path:
    """Put something into each folder of an environment, with names and modes that are in the way."""
    root = Path(environment.root)
    for folder in ("work", "inputs", "shared", "tree", ".hidden"):
        for name in ODD:
            (root / folder / name / "inner").mkdir(parents=True)
    (root / "work" / ODD[0] / "inner").chmod(0o000)
    (root / "work" / ODD[1] / "out").symlink_to(root.parent / "outside")
    (root.parent / "outside").mkdir()
    (root.parent / "outside/file").touch()
    return root


def test_all_of_an_environment_is_removed_and_nothing_else(run: Run, environment: Environment) -> None:
    root = fill(environment)
    for _ in range(2):
        result = run("remove", environment.root, ID)
        assert (result.exit_status, result.stdout) == (0, b"")
        assert not root.exists()
    assert (root.parent / "outside/file").exists()


def test_an_environment_of_others_in_it_stays(run: Run, environment: Environment) -> None:
    """The root of another target may be there; a tree may hold what looks like one, and is ours."""
    root = fill(environment)
    for name in ("s", "arriving.00000000"):
        founded(str(root / name))
    (root / "removed" / f".removed.{OTHER_ID}").mkdir(parents=True)
    (root / "left").mkdir()
    (root / "tree/exec").mkdir()
    (root / f"tree/exec/id.{OTHER_ID}").touch()
    assert run("unpack_inputs", environment.root, ID).exit_status == 0
    for _ in range(2):
        assert run("remove", environment.root, ID).exit_status == 0
        assert sorted(path.name for path in root.iterdir()) == ["arriving.00000000", "removed", "s"]


def test_the_ledger_is_no_part_of_it(run: Run, environment: Environment) -> None:
    root = fill(environment)
    for name in ("ledger.sqlite", "lock", "replica.tsv"):
        (root / name).touch()
    assert run("remove", environment.root, ID).exit_status == 0
    assert sorted(path.name for path in root.iterdir()) == ["ledger.sqlite", "lock", "replica.tsv"]


def test_what_need_not_travel_again_stays(run: Run, environment: Environment) -> None:
    root = fill(environment)
    for _ in range(2):
        assert run("remove", environment.root, ID, "work", "tree").exit_status == 0
        assert sorted(path.name for path in root.iterdir()) == [".hidden", f".removed.{ID}", "inputs", "shared"]
    assert run("remove", environment.root, OTHER_ID).exit_status == 0  # of that one nothing is there
    assert (root / "inputs").exists()
    assert run("remove", environment.root, ID).exit_status == 0
    assert not root.exists()


@pytest.mark.parametrize("step", range(1, 9))
def test_removing_may_be_cut_off_anywhere(run: Run, environment: Environment, tmp_path: Path, step: int) -> None:
    """Each program that it calls may be the last: what is left is ours still, or is not there."""
    root = fill(environment)
    (tmp_path / "bin").mkdir()
    for name in ("rm", "mkdir", "mv", "chmod", "rmdir"):
        (tmp_path / "bin" / name).write_text(
            f"#!/bin/bash\necho >>'{tmp_path}/calls'\n(($(wc -l <'{tmp_path}/calls') < {step})) || kill -KILL $PPID\n"
            f'exec /bin/{name} "$@"\n'
        )
        (tmp_path / "bin" / name).chmod(0o755)
    words = ["bash", str(FOLDER / "remove.sh"), environment.root, ID, "work", "tree"]
    path = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    subprocess.run(words, env=path, check=False, timeout=60, capture_output=True)
    assert run("remove", environment.root, ID, "work", "tree").exit_status == 0
    assert {path.name for path in root.iterdir()} == {".hidden", f".removed.{ID}", "inputs", "shared"}


def test_what_cannot_be_removed_is_told(
    run: Run, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rm").write_text("#!/bin/bash\necho 'rm: work is busy' >&2\nexit 1\n")
    (tmp_path / "bin/rm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    result = run("remove", environment.root, ID)
    assert (result.exit_status, "busy" in result.stderr) == (1, True)
    assert Path(environment.absolute(f"exec/id.{ID}")).exists()  # it is ours still


def test_a_manager_without_records_is_not_marked_as_gone(run: Run, environment: Environment) -> None:
    beats, cache = (Path(environment.absolute(f"exec/{name}")) for name in ("beats", "cache"))
    (cache / f"1-1-{ID}.tsv").write_text(f"manager\t1-1-{ID}\thost\t999999999\t1\t1.0\t5\t.\n")
    assert run("mark_gone", environment.root, ID, f"1-0-{ID}", f"1-1-{ID}").exit_status == 0
    assert [path.name for path in beats.iterdir()] == [f"1-1-{ID}.end"]


def test_a_manager_that_is_there_is_not_marked_as_gone(run: Run, environment: Environment) -> None:
    """Whoever asks for it may be wrong: its clock was set, or its heartbeat is late."""
    script = Path(environment.absolute("exec/manager.sh"))
    script.write_text("printf 'ready\\n'; read -r _\n")
    with subprocess.Popen(["bash", script, "1-0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        record = f"manager\t1-0-{ID}\t{HOST}\t{process.pid}\t1\t1.0\t5\t.\n"
        Path(environment.absolute(f"exec/cache/1-0-{ID}.tsv")).write_text(record)
        assert run("mark_gone", environment.root, ID, f"1-0-{ID}").exit_status == 0
        assert list(Path(environment.absolute("exec/beats")).iterdir()) == []
        process.communicate(b"end\n")
    assert process.returncode == 0


@pytest.mark.parametrize("spelled", ["{0}", "{0}/", "{0}/../{1}", "/{0}", "{0}/exec/..", "link"])
def test_a_manager_is_known_however_its_folder_is_written(
    run: Run, environment: Environment, tmp_path: Path, spelled: str
) -> None:
    root = Path(environment.root)
    (tmp_path / "link").symlink_to(root)
    there = str(tmp_path / "link") if spelled == "link" else spelled.format(root, root.name)
    (root / "exec/manager.sh").write_text("printf 'ready\\n'; read -r _\n")
    (root / f"exec/cache/1-0-{ID}.tsv").write_text("")
    for manager, asked in ((there, str(root)), (str(root), there)):
        words = ["bash", f"{manager}/exec/manager.sh", "1-0"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            record = f"manager\t1-0-{ID}\t{HOST}\t{process.pid}\t1\t1.0\t5\t.\n"
            (root / f"exec/cache/1-0-{ID}.tsv").write_text(record)
            assert run("mark_gone", asked, ID, f"1-0-{ID}").exit_status == 0
            assert list((root / "exec/beats").iterdir()) == []
            assert run("stop", asked, ID, f"1-0-{ID}", f"1-1-{ID}").exit_status == 0
            assert process.wait(timeout=30) == -signal.SIGTERM


def test_a_manager_of_another_environment_is_not_stopped(run: Run, environment: Environment, tmp_path: Path) -> None:
    other = founded(tmp_path / "other")
    script = Path(other.absolute("exec/manager.sh"))
    script.write_text("printf 'ready\\n'; read -r _\n")
    with subprocess.Popen(["bash", script, "1-0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert run("stop", environment.root, ID, f"1-0-{ID}").exit_status == 0
        process.communicate(b"end\n")
    assert process.returncode == 0


def test_the_notes_of_a_manager_that_is_gone_go_too(run: Run, environment: Environment, tmp_path: Path) -> None:
    beats, cache = (Path(environment.absolute(f"exec/{name}")) for name in ("beats", "cache"))
    folders = [tmp_path / name for name in ("locusts.abc123", "notes of mine")]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (cache / f"1-{number}-{ID}.tsv").write_text(f"manager\t1-{number}-{ID}\t{HOST}\t999999999\t1\t1.0\t5\t.\n")
        (beats / f"1-{number}-{ID}.run").write_text(f"{folder}\n")
    assert run("mark_gone", environment.root, ID, f"1-0-{ID}", f"1-1-{ID}").exit_status == 0
    assert [folder.exists() for folder in folders] == [False, True]


def test_the_probe_knows_variables_that_are_not_exported(tmp_path: Path) -> None:
    """As what is sent later does: start-up files may have set them."""
    answers = [
        LocalHost().run(f"PLACE='{tmp_path}'\n{remote_script(name)}", *args).text
        for name, args in (
            ("resolve_root", ["$PLACE/a b"]),
            ("probe", ["$PLACE/a b", "s", remote_script("resolve_root"), *[""] * 10]),
        )
    ]
    assert answers[0] == f"{tmp_path}/a b"
    assert f"\0root\0{tmp_path}/a b\0" in answers[1]
    assert list(tmp_path.iterdir()) == []


QUOTA = """Disk quotas for user me (uid 1000):
     Filesystem   space   quota   limit   grace   files   quota   limit   grace
other  1  2  3  0  4  5  6  0
%s  1200*  1000  2000  1700000000  34  100  200  0
"""
LUSTRE = "/mnt/a/very/long/name/of/a/file/system\n     1200*   1000   2000   6d20h   34   100   200   -\n"


@pytest.mark.parametrize("kind", ["quota", "lfs", "none"])
def test_the_probe_tells_what_a_quota_says(tmp_path: Path, kind: str) -> None:
    """Of the file system of the root, and no other."""
    tools = tmp_path / "tools"
    tools.mkdir()
    said = subprocess.run(["df", "--output=source", tmp_path], capture_output=True, text=True, check=True).stdout
    if kind == "quota":
        (tools / "text").write_text(QUOTA % said.splitlines()[-1])
        (tools / "quota").write_text(f'#!/bin/bash\n[[ "$*" == "-w -p" ]] && cat {tools}/text\nexit 1\n')
    elif kind == "lfs":
        (tools / "text").write_text(LUSTRE)
        (tools / "lfs").write_text(f"#!/bin/bash\ncat {tools}/text\n")
        stat = '[[ "$*" == *"-f -c %T"* ]] && echo lustre && exit'
        (tools / "stat").write_text(f'#!/bin/bash\n{stat}\nexec /usr/bin/stat "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o700)
    (tmp_path / "root").mkdir()
    words = [f"{tmp_path}/root", "s", remote_script("resolve_root"), *[""] * 10]
    answer = LocalHost().run(f"PATH={tools}:$PATH\n{remote_script('probe')}", *words).text
    assert ("\0quota\0001200 1000 2000 34 100 200\0" in answer) == (kind != "none")


def test_a_process_that_only_has_its_number_is_not_what_was_started(run: Run, environment: Environment) -> None:
    assert run("is_alive", environment.root, ID, "1").exit_status == 1
    token = reserved(environment, 1, "token")
    (token / "pid").write_text(f"{os.getpid()}\n")
    assert run("is_alive", environment.root, ID, "1").exit_status == 1
