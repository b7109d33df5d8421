"""What tasks leave in folders, on this machine: it comes whole, or the exit code says that it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workspace import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workspace import Workspace

CONFIG = """
[targets.here]
mode = "local"
slots = 2
scratch = "{scratch}"
[swarms.s]
command = '''
mkdir -p out/sub; echo <arg0> > out/sub/y; echo <arg0> > plain
ln -s sub/y out/latest; ln -s "$PWD/out/sub/y" out/sub/absolute; ln -s nowhere out/broken; ln -s .. out/sub/up
case <arg0> in 2) mkfifo out/sub/pipe ;; 3) ln -s ../../plain out/sub/away ;; 4) ln -s /etc out/etc ;; esac
'''
args = [["1"], ["2"], ["3"], ["4"]]
outputs = ["out", "plain"]
"""


@pytest.mark.parametrize("has_scratch", [False, True], ids=["in the environment", "in scratch"])
def test_folders_come_whole_or_are_errors(workspace: Workspace, tmp_path: Path, *, has_scratch: bool) -> None:
    (tmp_path / "scratch").mkdir(exist_ok=True)
    config = CONFIG.format(scratch=tmp_path / "scratch")
    workspace.write(config if has_scratch else config.replace(f'scratch = "{tmp_path / "scratch"}"\n', ""))
    code, said = workspace.locusts("run")
    assert (code, "3 outputs could not be brought back; tasks.tsv says why" in said) == (1, True)
    rows = {(row["task"], row["output"]): (row["status"], row["path"]) for row in workspace.table("outputs.tsv")}
    assert {task: status for (task, output), (status, _) in rows.items() if output == "plain"} == {
        f"00000{number}": "present" for number in range(1, 5)
    }
    assert [rows[f"00000{number}", "out"] for number in range(1, 5)] == [
        ("present", "000001/out"), ("error", ""), ("error", ""), ("error", ""),
    ]  # fmt: skip
    out = workspace.result("000001/out")
    links = {str(path.relative_to(out)): str(path.readlink()) for path in out.rglob("*") if path.is_symlink()}
    assert links == {"latest": "sub/y", "sub/absolute": "../sub/y", "broken": "nowhere", "sub/up": ".."}
    assert (out / "sub/absolute").read_text() == "1\n"
    reasons = {task: row["reason"] for task, row in workspace.tasks().items()}
    assert reasons == {
        "000001": "",
        "000002": "out did not come back: sub/pipe in it: it is neither a file nor a folder",
        "000003": "out did not come back: sub/away in it: it is a link that leads out of the folder, to ../../plain",
        "000004": "out did not come back: etc in it: it is a link that leads out of the folder, to /etc",
    }
    assert {row["state"] for row in workspace.tasks().values()} == {"done"}
    assert not workspace.result("000002/out").exists()
    work = workspace.folder / ".locusts/here/s/work"
    (next(work.rglob("pipe"))).unlink()
    assert workspace.locusts("collect")[0] == 1
    assert workspace.tasks()["000002"]["reason"] == ""
    assert workspace.result("000002/out/sub/y").read_text() == "2\n"
    assert workspace.result("000001/out").exists()
    code, said = workspace.locusts("clean")
    assert (code, "2 outputs did not come back, and may still be there" in said) == (2, True)
    assert list(work.rglob("away")), "what did not come is not cleaned away"
    assert workspace.locusts("clean", "--force")[0] == 0


def test_a_command_that_no_program_can_be_given_starts_nothing(workspace: Workspace) -> None:
    workspace.write(f'{HERE}[swarms.s]\ncommand = "true {"x" * 131_067}"\nargs = [["1"], ["2"]]\n')
    code, said = workspace.locusts("run")
    assert code == 2
    assert "task 000001: its command has 131072 bytes; a program takes at most 131071 at once" in said
    assert "put what is long into a file" in said
    assert not (workspace.folder / ".locusts/here").exists()
    workspace.write(f'{HERE}[swarms.s]\ncommand = "true {"x" * 131_066}"\nargs = [["1"], ["2"]]\n')
    assert workspace.locusts("run")[0] == 0


@pytest.mark.parametrize(
    ("outdir", "output", "said"),
    [
        ("in", "f_<id>.txt", "would land on the input f_0.txt of task 0"),
        ("alias", "f_<id>.txt", "would land on the input f_0.txt of task 0"),
        ("in", "f_<id>_.txt", "matches the input f_<id>.txt"),
        (".locusts", "out_<id>", "lies in the folder for the local state"),
    ],
)
def test_a_config_that_would_harm_inputs_starts_nothing(
    workspace: Workspace, outdir: str, output: str, said: str
) -> None:
    workspace.pairs(2)
    (workspace.folder / "alias").symlink_to("in")
    workspace.write(
        f"{HERE}[swarms.s]\ncommand = 'tr 0-9 a-j < f_<id>.txt > {output}'\nindir = 'in'\noutdir = '{outdir}'\n"
        f"inputs = ['f_<id>.txt']\noutputs = ['{output}']\nlayout = 'flat'\n"
    )
    code, printed = workspace.locusts("run")
    assert (code, said in printed, "choose" in printed) == (2, True, True), printed
    assert {path.name: path.read_text() for path in (workspace.folder / "in").iterdir()} == {
        "f_0.txt": "0\n",
        "f_1.txt": "1\n",
    }
    assert not (workspace.folder / ".locusts/here").exists()
