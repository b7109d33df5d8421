"""The scripts of `templates/remote` that list trees and outputs, and put archives in place."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.replica.manifest import mark_of, parse_scan
from locusts_fab.shell.scripts import RemoteExit, templates_folder
from tests.support.environments import ID, OTHER_ID
from tests.support.remote_scripts import reserve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.remote_scripts import Run

FOLDER = templates_folder() / "remote"
ODD = ["a b", "it's", "$(touch x)", "new\nline", "-rf", "é", "back\\slash", "*", "tab\there"]


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


@pytest.mark.parametrize("name", [*ODD, "res[1]", "r?s", "[!a]", "\\[", "]", "a&b", "\\*\\", "d/[ab]*"])
def test_what_does_not_count_is_a_name_and_no_pattern(run: Run, tmp_path: Path, name: str) -> None:
    others = ["res1", "res", "rxs", "x", "[", "-r", "*x", "d/a", "aab", "\\x", "a b c", "backslash"]
    for path in (f"world/{each}/file" for each in (name, *others)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    listed = parse_scan(run("scan_tree", str(tmp_path), f"world/{name}", "not there").stdout)
    everything = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert everything - set(listed) == {f"world/{name}", f"world/{name}/file"}


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
    assert (run("new_folder", str(root), ID, ".arriving.1").exit_status == 0) is (there == "")
    assert (root / ".arriving.1").exists() is (there == "")


def test_what_an_archive_brought_is_put_in_place(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "it's $(a)\nroot"
    assert reserve(run, root, "token").exit_status == 0
    assert run("new_folder", str(root), ID, ".arriving.1").exit_status == 0
    names = ["exec/plan/000001", "exec/manager.sh", "inputs/0/1/-f x", "work/.hidden", "shared/k/it's"]
    for name in names:
        (root / ".arriving.1" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / ".arriving.1" / name).write_text(name)
    (root / "work").mkdir(exist_ok=True)
    assert run("take_in", str(root), OTHER_ID, ".arriving.1").exit_status == RemoteExit.FOREIGN
    assert run("take_in", str(root), ID, ".arriving.1").exit_status == 0
    assert [(root / name).read_text() for name in names] == names
    assert not (root / ".arriving.1").exists()
    assert (root / f"exec/id.{ID}").exists()


def test_a_stream_that_was_given_up_goes_nowhere(run: Run, tmp_path: Path) -> None:
    """It may still go on: what sends the rest by rsync removes first what came of it."""
    root = tmp_path / "root"
    assert reserve(run, root, "token").exit_status == 0
    assert run("new_folder", str(root), ID, ".arriving.1").exit_status == 0
    old = subprocess.Popen(
        ["tar", "-xf", "-", "-C", root / ".arriving.1"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert run("unpack_inputs", str(root), ID).exit_status == 0
    archive = subprocess.check_output(["tar", "-cf", "-", "-C", FOLDER, "poll.sh"])
    old.communicate(archive)
    assert old.returncode != 0
    assert not list(root.rglob("poll.sh"))


def test_what_an_older_version_was_sent_goes_too(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert reserve(run, root, "token").exit_status == 0
    for name in ("arriving.00000000/exec/plan", "arriving.0000/exec"):
        (root / name).mkdir(parents=True)
    assert run("unpack_inputs", str(root), ID).exit_status == 0
    assert [path.name for path in root.glob("arriving*")] == ["arriving.0000"]


def test_no_folder_to_unpack_into_without_tar(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reserve(run, tmp_path / "new", "token").exit_status == 0
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "mkdir"):
        (tmp_path / "bin" / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert run("new_folder", str(tmp_path / "new"), ID, ".arriving.1").exit_status != 0


def test_results_are_unpacked_from_the_midst_of_an_archive(run: Run, tmp_path: Path) -> None:
    """What is read there ends long before the archive does; what is not as it was written is left out."""
    root, archive = tmp_path / "root", tmp_path / "it's $(a)\n.tar"
    assert reserve(run, root, "token").exit_status == 0
    data, pieces = b"", []
    for number in range(4):
        content = tmp_path / f"{number} x"
        content.write_bytes(bytes([number]) * 1_000_000)
        piece = subprocess.check_output(["tar", "-cf", "-", "-b", "8", "-C", tmp_path, "--", content.name])
        sum_of, size = subprocess.run(["cksum"], input=piece, stdout=subprocess.PIPE, check=True).stdout.split()
        pieces.append([os.fsencode(archive), b"claim", b"%d" % len(data), size, sum_of])
        data += piece
    pieces[2][4] = b"7"
    archive.write_bytes(data)
    (root / "list").write_bytes(b"".join(field + b"\0" for piece in pieces for field in piece))
    assert run("unpack_results", str(root), OTHER_ID, "list", "out").exit_status == RemoteExit.FOREIGN
    assert run("unpack_results", str(root), ID, "list", "out").exit_status == 0
    assert {path.name: path.read_bytes() for path in (root / "out/claim").iterdir()} == {
        f"{number} x": bytes([number]) * 1_000_000 for number in (0, 1, 3)
    }
