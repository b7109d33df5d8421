"""The scripts of `templates/remote`: their headers are true, Python holds none of its own, and each does what it says.

What poll, probe, and the scripts that start and stop managers do is in `tests/unit`: `state/test_poll.py`,
`operations/test_check.py`, `schedulers/test_detached.py` and `schedulers/slurm/test_launcher.py`.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import locusts_fab
from locusts_fab.hosts.base import Result
from locusts_fab.hosts.local import LocalHost
from locusts_fab.replica.manifest import mark_of, parse_scan
from locusts_fab.shell.scripts import RemoteExit, remote_script, templates_folder
from tests.support.environments import ID, OTHER_ID, founded, listing, reserved
from tests.support.processes import await_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locusts_fab.layout import Environment

    Run = Callable[..., Result]

FOLDER = templates_folder() / "remote"
NAMES = sorted(path.stem for path in FOLDER.glob("*.sh"))
HOST = LocalHost().run('printf %s "${HOSTNAME:-localhost}"').text
ODD = ["a b", "it's", "$(touch x)", "new\nline", "-rf", "é", "back\\slash", "*", "tab\there"]


# ---------------------------------------------------------------------------------------------------------------------
# Python and its scripts


def parsed() -> Iterator[ast.Module]:
    """Parse every module of ours."""
    for path in sorted(Path(locusts_fab.__file__).parent.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_every_script_is_used_and_every_name_is_that_of_a_script() -> None:
    calls = [
        node
        for module in parsed()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "remote_script"
    ]
    assert {ast.literal_eval(call.args[0]) for call in calls} == set(NAMES)


#: A script of more lines than this is to have a file.
MOST_LINES = 6
#: What no other language that we write has: a variable in quotes or after `=`, a test, the end of a compound command.
BASH = re.compile(r"[\"=]\$\w|\$\{|\[\[ |^\s*(fi|done|esac)\s*([<>|&;2]|$)|2?>/dev/null", re.MULTILINE)
#: Functions that may hold more all the same, each with the reason.
EXEMPT = {"frame": "what it puts around every script that is sent"}


def long_bash(module: ast.Module) -> list[str]:
    """Find the texts of a module that are bash, and too long to stand there; docstrings are not looked at."""
    found = []
    passed_over: set[int] = set()
    for node in ast.walk(module):  # from the top down, so that what is passed over is so before it comes up
        if isinstance(node, ast.Expr):  # it stands alone: a docstring, or a call
            passed_over.add(id(node.value))
        elif isinstance(node, ast.FunctionDef) and node.name in EXEMPT:
            passed_over.update(map(id, ast.walk(node)))
        if id(node) in passed_over:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(text.strip().splitlines()) > MOST_LINES and BASH.search(text):
            found.append(text)
    return found


def test_python_holds_no_long_scripts() -> None:
    assert [text for module in parsed() for text in long_bash(module)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_script_would_be_seen_in_python(name: str) -> None:
    assert long_bash(ast.parse(f"x = f({remote_script(name)!r})"))
    assert long_bash(ast.parse(f"x = f'{{y}}' {remote_script(name)!r}"))
    assert not long_bash(ast.parse(repr(remote_script(name))))  # it would be a docstring


# ---------------------------------------------------------------------------------------------------------------------
# Headers


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_it_is(name: str) -> None:
    lines = remote_script(name).splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    header = "\n".join(lines[: lines.index("")])
    assert f"#   usage: bash {name}.sh" in header
    assert "#   exits with: " in header


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_named_as_the_header_has_them(name: str) -> None:
    text = remote_script(name)
    usage = re.search(rf"usage: bash {name}\.sh ?(.*)", text)
    assert usage is not None
    said = usage[1].partition("[")[0].split()
    if said and said[-1].endswith("..."):
        said.pop()
    assigned = re.findall(r"(?:^|\s)(?:my_)?([a-z_]+)=\$(?:([1-9])|\{([0-9]+)\})(?=\s|$)", text_of_the_top(text))
    named = {int(digit or digits): variable.upper() for variable, digit, digits in assigned}
    assert named == dict(enumerate(said, 1))
    for word in re.findall(r"[A-Z_]+", usage[1]):
        assert re.search(rf"^#     ([A-Z]+ )*{word} ", text, re.MULTILINE), f"{word} is not explained"


def text_of_the_top(text: str) -> str:
    """Cut out what stands outside of functions."""
    return re.sub(r"^\w+\(\) [({]\n.*?^[)}]$", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_exit_codes_have_the_names_that_python_knows(name: str) -> None:
    text = remote_script(name)
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lists = re.findall(r"^readonly (.*)$", code, re.MULTILINE)
    named = {key: int(value) for key, value in re.findall(r"([A-Z_]+)=([0-9]+)", " ".join(lists))}
    assert named == {key: int(RemoteExit[key]) for key in named}
    assert set(re.findall(r'\bexit "\$([A-Z_]+)"', code)) == set(named)
    exits = text[text.index("#   exits with:") :].partition("\n\n")[0]
    assert {key.name for key in RemoteExit if key.name in exits} == set(named)
    assert re.findall(r"\b(?:exit|return) (?:[2-9]|1[0-9])", code) == [], "codes above 1 have names"


def test_every_exit_code_is_used() -> None:
    texts = "".join(map(remote_script, NAMES))
    assert [code.name for code in RemoteExit if f'exit "${code.name}"' not in texts] == []
    assert len({*RemoteExit}) == len(RemoteExit.__members__)


def test_python_compares_with_names() -> None:
    bare = [
        ast.unparse(node)
        for module in parsed()
        for node in ast.walk(module)
        if isinstance(node, ast.Compare) and ast.unparse(node.left).endswith("exit_status")
        for other in node.comparators
        if isinstance(other, ast.Constant) and other.value != 0
    ]
    assert bare == []


# ---------------------------------------------------------------------------------------------------------------------
# What they do


def run_here(name: str, *args: str) -> Result:
    return LocalHost().run(remote_script(name), *args)


def run_file(name: str, *args: str) -> Result:
    """Run a script as somebody would who found its file."""
    words = ["bash", str(FOLDER / f"{name}.sh"), *args]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return Result(done.returncode, done.stdout, os.fsdecode(done.stderr))


@pytest.fixture(params=[run_here, run_file], ids=["sent", "file"])
def run(request: pytest.FixtureRequest) -> Run:
    way: Run = request.param
    return way


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return founded(tmp_path / "it's $(an) environment")


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


def reserve(run: Run, root: Path | str, token: str, number: int = 1, *, known: str = " ", **more: str) -> Result:
    words = (more.get("id_", ID), more.get("note", "me\tlaptop"), known, str(number), "1 9", token)
    return run("reserve", str(root), *words)


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


def test_a_tree_is_listed_with_all_its_marks(run: Run, tmp_path: Path) -> None:
    tree = tmp_path / "it's a tree"
    for name in ODD:
        (tree / "folder" / name).mkdir(parents=True)
        (tree / "folder" / name / "file").write_text(name)
        (tree / f"link to {name}").symlink_to(name)
    (tree / "folder").chmod(0o750)
    result = run("scan_tree", str(tree))
    assert result.exit_status == 0
    assert parse_scan(result.stdout) == {str(path.relative_to(tree)): mark_of(path) for path in tree.rglob("*")}


def test_what_does_not_count_is_not_listed(run: Run, tmp_path: Path) -> None:
    for name in ("own state/file", "sub/results/file", "sub/results 2/file"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    listed = parse_scan(run("scan_tree", str(tmp_path), "own state", "sub/results").stdout)
    assert sorted(listed) == ["sub", "sub/results 2", "sub/results 2/file"]


def listed_outputs(output: bytes) -> set[tuple[str, ...]]:
    """Return the records of `list_outputs`, four fields each."""
    fields = [os.fsdecode(field) for field in output.split(b"\0")[:-1]]
    return {tuple(fields[at : at + 4]) for at in range(0, len(fields), 4)}


def test_outputs_that_may_not_have_come_are_listed(run: Run, tmp_path: Path) -> None:
    expected = set()
    for name in ODD:
        (tmp_path / "work" / name / "deep").mkdir(parents=True)
        (tmp_path / "work" / name / "deep/x").write_text("four")
        (tmp_path / "work" / name / "l").symlink_to(name)
        (tmp_path / f"link to {name}").symlink_to(f"work/{name}/deep/x")
        expected |= {
            ("real", f"{tmp_path}/work/{name}/deep/x", f"./link to {name}", "."),
            ("f 4", "", f"./link to {name}", ""),
            ("f 4", "", f"./work/{name}", "deep/x"),
            ("l", name, f"./work/{name}", "l"),
            ("d", "", f"./work/{name}", ""),
            ("d", "", f"./work/{name}", "deep"),
        }
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    expected |= {("p", "", "./pipe", ""), ("l", "nowhere", "./broken", "")}
    links = [f"link to {name}" for name in ODD]
    folders = [f"work/{name}" for name in ODD]
    result = run("list_outputs", str(tmp_path), str(len(links) + 1), *links, "gone", *folders, "pipe", "broken", "no")
    assert (result.exit_status, result.stderr) == (0, "")
    found = listed_outputs(result.stdout)
    assert {(head if head[0] in "rf" else head[0], *rest) for head, *rest in found} == expected


@pytest.fixture
def closed(tmp_path: Path) -> tuple[Path, list[str]]:
    """Make a folder of which some cannot be read, and how a script is started by one who may not; root may read all."""
    (tmp_path / "out/deep/closed").mkdir(parents=True)
    for name in ("secret", "open", "closed/x", "shut"):
        (tmp_path / "out/deep" / name).touch()
    for name, mode in {"secret": 0, "closed": 0, "shut": 0o200}.items():
        (tmp_path / "out/deep" / name).chmod(mode)
    if os.geteuid() != 0:
        return tmp_path, ["bash"]
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash"]


def test_outputs_that_cannot_be_read_are_listed_as_such(closed: tuple[Path, list[str]]) -> None:
    folder, command = closed
    words = [*command, str(FOLDER / "list_outputs.sh"), str(folder), "0", "out"]
    result = subprocess.run(words, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    kinds = {path: head[0] for head, _, _, path in listed_outputs(result.stdout)}
    assert kinds == {"": "d", "deep": "d", "deep/open": "f", **dict.fromkeys(HIDDEN, "u")}


HIDDEN = ("deep/closed", "deep/secret", "deep/shut")


def test_what_cannot_be_read_of_a_tree_hides_nothing_else(closed: tuple[Path, list[str]]) -> None:
    folder, command = closed
    words = [*command, str(FOLDER / "scan_tree.sh"), str(folder / "out")]
    result = subprocess.run(words, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    kinds = {path: mark.kind for path, mark in parse_scan(result.stdout).items()}
    assert kinds == {"deep": "d", "deep/open": "f", **dict.fromkeys(HIDDEN, "u")}


@pytest.mark.parametrize("there", ["", "inputs", "shared", "exec/plan", "id"])
def test_an_archive_goes_only_where_nothing_lies_yet(run: Run, tmp_path: Path, there: str) -> None:
    root = tmp_path / "it's $(a)\nroot"
    assert reserve(run, root, "token").exit_status == 0
    if there == "id":
        (root / f"exec/id.{ID}").rename(root / f"exec/id.{OTHER_ID}")
    elif there:
        (root / there).mkdir()
    assert (run("new_folder", str(root), ID, "arriving.1").exit_status == 0) is (there == "")
    assert (root / "arriving.1").exists() is (there == "")


def test_what_an_archive_brought_is_put_in_place(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "it's $(a)\nroot"
    assert reserve(run, root, "token").exit_status == 0
    assert run("new_folder", str(root), ID, "arriving.1").exit_status == 0
    names = ["exec/plan/000001", "exec/manager.sh", "inputs/0/1/-f x", "work/.hidden", "shared/k/it's"]
    for name in names:
        (root / "arriving.1" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "arriving.1" / name).write_text(name)
    (root / "work").mkdir(exist_ok=True)
    assert run("take_in", str(root), OTHER_ID, "arriving.1").exit_status == RemoteExit.FOREIGN
    assert run("take_in", str(root), ID, "arriving.1").exit_status == 0
    assert [(root / name).read_text() for name in names] == names
    assert not (root / "arriving.1").exists()
    assert (root / f"exec/id.{ID}").exists()


def test_a_stream_that_was_given_up_goes_nowhere(run: Run, tmp_path: Path) -> None:
    """It may still go on: what sends the rest by rsync removes first what came of it."""
    root = tmp_path / "root"
    assert reserve(run, root, "token").exit_status == 0
    assert run("new_folder", str(root), ID, "arriving.1").exit_status == 0
    old = subprocess.Popen(
        ["tar", "-xf", "-", "-C", root / "arriving.1"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert run("unpack_inputs", str(root), ID).exit_status == 0
    archive = subprocess.check_output(["tar", "-cf", "-", "-C", FOLDER, "poll.sh"])
    old.communicate(archive)
    assert old.returncode != 0
    assert not list(root.rglob("poll.sh"))


def test_no_folder_to_unpack_into_without_tar(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reserve(run, tmp_path / "new", "token").exit_status == 0
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "mkdir"):
        (tmp_path / "bin" / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert run("new_folder", str(tmp_path / "new"), ID, "arriving.1").exit_status != 0


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


def test_what_may_not_be_written_is_removed_at_the_second_go(
    run: Run, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may be root, whom modes do not stop: so rm fails until chmod was called."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rm").write_text(f"#!/bin/bash\n[[ -e '{tmp_path}/seen' ]] && exec /bin/rm \"$@\"\nexit 1\n")
    (tmp_path / "bin/chmod").write_text(f"#!/bin/bash\nprintf '%s\\n' \"$@\" >'{tmp_path}/seen'\n")
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert run("remove", environment.root, ID, "work").exit_status == 0
    assert (tmp_path / "seen").read_text() == "-R\nu+rwX\n--\nwork\n"
    assert not Path(environment.absolute("work")).exists()


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


def test_a_process_that_only_has_its_number_is_not_what_was_started(run: Run, environment: Environment) -> None:
    assert run("is_alive", environment.root, ID, "1").exit_status == 1
    token = reserved(environment, 1, "token")
    (token / "pid").write_text(f"{os.getpid()}\n")
    assert run("is_alive", environment.root, ID, "1").exit_status == 1


# ---------------------------------------------------------------------------------------------------------------------
# What they start finds the user's variables


def words_of(name: str) -> list[str]:
    """List all words of a script: what its variables are called, but for those that it sets apart, and more."""
    return sorted({word.removeprefix("my_") for word in re.findall(r"[a-z]\w*", remote_script(name))} - {""})


def seen_in(path: Path) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in path.read_text().split("\0") if entry)


def test_a_manager_inherits_what_the_user_exports(
    run: Run, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of("start_detached")
    assert {"environment", "submission", "manager"} <= set(words)
    for word in words:
        monkeypatch.setenv(word, "the user's")
    start = Path(environment.absolute("exec/start.sh"))
    start.write_text('env -0 >exec/seen\n: >"exec/beats/$1-x"\n')
    reserved(environment, 1, "token")
    assert run("start_detached", environment.root, ID, "1", "1-0", "token").exit_status == 0
    await_end(int(Path(environment.absolute("exec/started.1/pid")).read_text()))
    seen = seen_in(Path(environment.absolute("exec/seen")))
    assert {word: seen.get(word) for word in words} == dict.fromkeys(words, "the user's")


def test_a_job_inherits_what_the_user_exports(
    run: Run, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of("slurm_start")
    for word in words:
        monkeypatch.setenv(word, "the user's")
    (tmp_path / "bin").mkdir()
    for name, does in {"sbatch": f"env -0 >'{tmp_path}/seen'; echo 12", "scontrol": "echo 'MaxArraySize = 2'"}.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    reserved(environment, 1, "locusts-cafe")
    result = run("slurm_start", environment.root, ID, "1", "3", "locusts-cafe")
    assert (result.exit_status, result.stdout) == (0, b"12\n")
    seen = seen_in(tmp_path / "seen")
    assert {word: seen.get(word) for word in words} == dict.fromkeys(words, "the user's")


# ---- last_words ----


def test_the_last_words_of_whoever_said_something(run: Run, environment: Environment) -> None:
    logs = Path(environment.absolute("exec/logs"))
    (logs / "1-0.out").touch()
    (logs / "1-1.out").write_text("".join(f"line {number}\n" for number in range(9)))
    (logs / "12-0.out").write_text("another submission\n")
    assert run("last_words", environment.root, "1").text == "1-1.out\n" + "".join(
        f"line {number}\n" for number in range(4, 9)
    )
    assert run("last_words", environment.root, "12").text == "12-0.out\nanother submission\n"


def test_nobody_said_anything(run: Run, environment: Environment, tmp_path: Path) -> None:
    assert run("last_words", environment.root, "1").text == "\n"
    assert list(Path(environment.absolute("exec/logs")).iterdir()) == []
    nowhere = run("last_words", str(tmp_path / "nowhere"), "1")
    assert (nowhere.exit_status, nowhere.text) == (0, "")


def test_a_line_without_an_end_is_cut_off(run: Run, environment: Environment) -> None:
    Path(environment.absolute("exec/logs/1-0.out")).write_text("x" * 100_000)
    assert run("last_words", environment.root, "1").text == "1-0.out\n" + "x" * 2000


def test_a_disk_that_is_full_is_said_to_be(run: Run, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode().strip()}")
    try:
        environment = founded(disk / "s")
        with contextlib.suppress(OSError), (disk / "much").open("wb") as file:
            file.write(b"x" * 100_000)
        assert "No space left on device" in run("last_words", environment.root, "1").text
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
