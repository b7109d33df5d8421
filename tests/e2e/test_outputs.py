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


FIGURES = """[swarms.{name}]
command = "mkdir figures; echo {word} <id> > figures/<id>.txt"
args = [["1"]]
outputs = ["figures"]
outdir = "{outdir}"
layout = "flat"
"""


def test_what_is_the_users_own_stays_unless_it_is_to_be_overwritten(workspace: Workspace) -> None:
    (workspace.folder / "figures").mkdir()
    mine = workspace.folder / "figures/mine.txt"
    mine.write_text("precious")
    workspace.write(HERE + FIGURES.format(name="s", word="new", outdir="."))
    code, said = workspace.locusts("run")
    assert (code, "1 output could not be brought back; tasks.tsv says why" in said) == (1, True)
    assert "1 task collected now" in said
    assert "move it away and collect again, or replace it with `collect --overwrite`" in said
    assert mine.read_text() == "precious"
    table = (workspace.folder / "tasks.tsv").read_text()
    assert "figures did not come back: in the way: figures is here already, and was not put there by this" in table
    assert workspace.locusts("collect")[0] == 1
    assert workspace.locusts("clean")[0] == 2
    assert workspace.locusts("collect", "--overwrite")[0] == 0
    assert [path.name for path in (workspace.folder / "figures").iterdir()] == ["000001.txt"]
    mine.write_text("edited")
    workspace.locusts("submit", "--redo")
    assert workspace.locusts("run")[0] == 1
    assert mine.read_text() == "edited"
    assert "was changed here since it was brought" in (workspace.folder / "tasks.tsv").read_text()
    assert workspace.locusts("run", "--overwrite")[0] == 0
    assert not mine.exists()


def test_tables_of_others_are_not_replaced(workspace: Workspace) -> None:
    (workspace.folder / "tasks.tsv").write_text("temperature\n3\n")
    workspace.write(HERE + FIGURES.format(name="s", word="one", outdir="."))
    code, said = workspace.locusts("run")
    assert (code, "tasks.tsv is here already, and this swarm has not written it" in said) == (2, True)
    assert "locusts run --overwrite" in said
    assert not (workspace.folder / ".locusts/here").exists()
    (workspace.folder / "tasks.tsv").unlink()
    assert workspace.locusts("run")[0] == 0
    assert workspace.locusts("submit", "--redo")[0] == 0
    (workspace.folder / "other.toml").write_text(HERE + FIGURES.format(name="t", word="two", outdir="."))
    before = (workspace.folder / "tasks.tsv").read_text()
    code, said = workspace.locusts("run", "--config", "other.toml")
    assert (code, "give the swarm an outdir of its own" in said) == (2, True)
    assert (workspace.folder / "tasks.tsv").read_text() == before
    assert (workspace.folder / "figures/000001.txt").read_text() == "one 000001\n"
    assert workspace.locusts("run")[0] == 0


def test_two_swarms_that_ran_at_once_keep_apart_what_each_brought(workspace: Workspace) -> None:
    for name, word in (("s", "one"), ("t", "two")):
        (workspace.folder / f"{name}.toml").write_text(HERE + FIGURES.format(name=name, word=word, outdir="out"))
        assert workspace.locusts("submit", "--config", f"{name}.toml")[0] == 0
    for name in ("s", "t"):
        workspace.locusts("watch", "--config", f"{name}.toml")
    assert workspace.locusts("collect", "--config", "s.toml")[0] == 0
    code, said = workspace.locusts("collect", "--config", "t.toml")
    assert (code, "is here already" in said) == (2, True)
    assert (workspace.folder / "out/figures/000001.txt").read_text() == "one 000001\n"
    (workspace.folder / "t.toml").write_text(HERE + FIGURES.format(name="t", word="two", outdir="out/t"))
    assert workspace.locusts("collect", "--config", "t.toml")[0] == 0
    assert (workspace.folder / "out/t/figures/000001.txt").read_text() == "two 000001\n"


@pytest.mark.parametrize("layout", ["tasks", "flat"])
def test_half_results_do_not_lie_beside_good_ones(workspace: Workspace, layout: str) -> None:
    command = "seq 3 > o_<arg0>; [ <arg0> = 0 ] || grep good <shared>k; seq 9 > o_<arg0>"
    (workspace.folder / "k").write_text("bad")
    workspace.write(
        f"{HERE}[swarms.s]\ncommand = 'set -e; {command}'\nargs = [['0'], ['1']]\noutputs = ['o_<arg0>']\n"
        f"layout = '{layout}'\nshared = {{ k = 'k' }}\n"
    )
    assert workspace.locusts("run")[0] == 1
    found = {path.name: path for path in workspace.result("").rglob("o_*")}
    assert found["o_1"] == workspace.result("failed/000002/o_1")
    assert "failed" not in found["o_0"].parts
    (workspace.folder / "k").write_text("good")
    workspace.locusts("retry")
    assert workspace.locusts("run")[0] == 0
    found = {path.name: path for path in workspace.result("").rglob("o_*")}
    assert {path.read_text().count("\n") for path in found.values()} == {9}
    assert not workspace.result("failed").exists()
    assert [row["path"] for row in workspace.table("outputs.tsv")] == [
        str(found[name].relative_to(workspace.result(""))) for name in ("o_0", "o_1")
    ]


def test_the_list_of_what_a_tree_became_is_a_table_like_the_others(workspace: Workspace) -> None:
    (workspace.folder / "tree").mkdir()
    (workspace.folder / "tree/a").write_text("a")
    out = workspace.folder / "out"
    out.mkdir()
    (out / "modified.tsv").write_text("mine\n")
    workspace.write(
        f"{HERE}[swarms.s]\nenvironment = 'custom'\nroot = 'tree'\nin_place = false\noutdir = 'out'\n"
        "command = 'echo <arg0> > b'\nargs = [['1']]\n"
    )
    code, said = workspace.locusts("run")
    assert (code, "modified.tsv is here already" in said) == (2, True)
    (out / "modified.tsv").unlink()
    assert workspace.locusts("run")[0] == 0
    written = (out / "modified.tsv").read_text()
    assert "b" in written
    (out / "modified.tsv").write_text("my notes\n")
    (workspace.folder / "tree/b").unlink()
    assert workspace.locusts("submit", "--redo")[0] == 0
    code, said = workspace.locusts("collect", "--wait")
    assert (code, "was changed here since it was written" in said) == (2, True)
    assert (workspace.folder / "tree/b").read_text() == "1\n"
    assert (out / "modified.tsv").read_text() == "my notes\n"
    assert workspace.locusts("collect", "--overwrite")[0] == 0
    assert (out / "modified.tsv").read_text() == written


STAGES = f"""{HERE}
[swarms.one]
command = "seq 3 > n_<arg0>; test <arg0> = good && seq 9 > n_<arg0>"
args = [["good"], ["bad"]]
outputs = ["n_<arg0>"]
layout = "flat"
[swarms.two]
command = "wc -l < n_<id> > lines"
indir = "results/one"
inputs = ["n_<id>"]
outputs = ["lines"]
"""


def test_a_stage_takes_nothing_from_tasks_that_failed_in_the_one_before(workspace: Workspace) -> None:
    workspace.write(STAGES)
    assert workspace.locusts("run", "--swarm", "one")[0] == 1
    assert workspace.locusts("run", "--swarm", "two")[0] == 0
    assert list(workspace.tasks("two")) == ["good"]
    assert workspace.result("good/lines", "two").read_text() == "9\n"


def test_a_stage_says_that_the_one_before_was_made_anew(workspace: Workspace) -> None:
    workspace.write(STAGES)
    for name in ("one", "two"):
        workspace.locusts("run", "--swarm", name)
    workspace.write(STAGES.replace("seq 9", "seq 8"))
    assert workspace.locusts("submit", "--swarm", "one", "--redo")[0] == 0
    assert workspace.locusts("collect", "--swarm", "one", "--wait")[0] == 1
    code, text = workspace.locusts("submit", "--swarm", "two")
    assert (code, "1 done task has changed, in the config or by inputs" in text) == (0, True), text
    assert workspace.locusts("submit", "--swarm", "two", "--redo-changed")[0] == 0
    assert workspace.locusts("collect", "--swarm", "two", "--wait")[0] == 0
    assert workspace.result("good/lines", "two").read_text() == "8\n"


@pytest.mark.parametrize(
    ("output", "more"),
    [
        ("ref.fa", "shared = { ref = 'ref.fa' }\nargs = [['1']]"),
        ("grid.csv", "args_file = 'grid.csv'"),
        ("locusts.toml", "args = [['1']]"),
    ],
)
def test_no_result_lands_on_what_a_swarm_is_made_of(workspace: Workspace, output: str, more: str) -> None:
    for name in ("ref.fa", "grid.csv"):
        (workspace.folder / name).write_text("n\n1\n")
    workspace.write(
        f"{HERE}[swarms.s]\ncommand = 'echo new > {output}'\noutputs = ['{output}']\n"
        f"outdir = '.'\nlayout = 'flat'\n{more}\n"
    )
    before = (workspace.folder / output).read_text()
    code, text = workspace.locusts("run")
    assert (code, f"the output {output} of task 000001 would land on" in text) == (2, True), text
    assert (workspace.folder / output).read_text() == before


@pytest.mark.parametrize("name", ["000001/out", "logs/000001.log", "failed/000002/out"])
def test_a_file_of_the_user_where_a_result_would_come_stays(workspace: Workspace, name: str) -> None:
    mine = workspace.folder / name
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    workspace.write(
        f"{HERE}[swarms.s]\ncommand = 'echo said; echo new > out; test <arg0> = 1'\nargs = [['1'], ['2']]\n"
        "outputs = ['out']\noutdir = '.'\n"
    )
    code, text = workspace.locusts("run")
    assert (code, "1 output could not be brought back; tasks.tsv says why" in text) == (1, True), text
    assert mine.read_text() == "precious"
    assert workspace.locusts("collect", "--overwrite")[0] == 1
    assert mine.read_text() in {"new\n", "said\n"}
