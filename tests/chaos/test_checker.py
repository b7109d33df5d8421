"""The judge sees what it is there for: each kind of fault, made by hand in a swarm in which all is well."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import Case, Fault, check
from tests.chaos.files import unescape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASKS = ("a", "b", "c")


def made(folder: Path) -> Case:
    """Make what a swarm of three tasks leaves, each run once."""
    outputs = {name: {f"out_{name}": f"{name}\n".encode()} for name in TASKS}
    case = Case(outputs, folder / "results", folder / "ran", folder / "s", folder / "state", len(TASKS))
    for path in (case.outdir, case.ran, case.state, case.environment / "exec/plan", case.environment / "exec/cache"):
        path.mkdir(parents=True)
    plan, records = [], ["manager\t1-0\tnode\t7\t2\t1.0\t5.2\t."]
    tasks = ["task\tstate\texit\tattempts\tnode\tstart\tseconds\treason"]
    table = ["task\toutput\tstatus\tpath"]
    for number, name in enumerate(TASKS, 1):
        for base in (case.outdir / name, case.environment / f"work/000001.1/{number}"):
            base.mkdir(parents=True)
            (base / f"out_{name}").write_bytes(outputs[name][f"out_{name}"])
        (case.ran / name).write_text("\n")
        plan.append(f"{number}\t{name}\ttrue\tout_{name}")
        records += [f"began\t000001.1\t{number}\t1\t1.0\t1\t.", ended(number)]
        tasks.append(f"{name}\tdone\t0\t1\tnode\t1.0\t1.0\t")
        table.append(f"{name}\tout_{name}\tpresent\t{name}/out_{name}")
    write(case.environment / "exec/plan/000001", plan)
    write(case.environment / "exec/cache/1-0.tsv", records)
    write(case.outdir / "tasks.tsv", tasks)
    write(case.outdir / "outputs.tsv", table)
    return case


def ended(number: int, claim: str = "000001.1", log: str = "0") -> str:
    return f"ended\t{claim}\t{number}\t1\tdone\t0\t1.0\t2.0\t1\t{log}\t\t."


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def add(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def test_nothing_is_said_where_all_is_well(tmp_path: Path) -> None:
    assert check(made(tmp_path)) == []


def test_plans_and_claims_with_the_id_of_their_environment_are_understood(tmp_path: Path) -> None:
    case = made(tmp_path)
    plan, records = case.environment / "exec/plan/000001", case.environment / "exec/cache/1-0.tsv"
    write(plan, [*(f"{line}\t." for line in plan.read_text().splitlines()), "end\t3\tc0ffee12\t."])
    records.write_text(records.read_text().replace("000001.1", "000001.1.c0ffee12").replace("1-0", "1-0-c0ffee12"))
    records.rename(records.with_name("1-0-c0ffee12.tsv"))
    (case.environment / "work/000001.1").rename(case.environment / "work/000001.1.c0ffee12")
    assert check(case) == []
    (case.environment / "work/000001.1.c0ffee12/2/out_b").write_text("a\n")
    assert [fault.kind for fault in check(case)] == ["wrong"]


@pytest.mark.parametrize(
    ("harm", "kinds"),
    [
        (lambda case: change(case.outdir / "tasks.tsv", "b\tdone", "b\tpending"), {"lost"}),
        (lambda case: change(case.outdir / "tasks.tsv", "b\tdone", "x\tdone"), {"lost", "wrong"}),
        (lambda case: add(case.outdir / "tasks.tsv", "b\tdone\t0\t1\tnode\t1.0\t1.0\t"), {"twice"}),
        (lambda case: add(case.outdir / "outputs.tsv", "b\tout_b\tpresent\tb/out_b"), {"twice"}),
        (lambda case: change(case.outdir / "outputs.tsv", "out_b\tpresent", "out_b\tmissing"), {"lost"}),
        (lambda case: (case.outdir / "b/out_b").unlink(), {"lost"}),
        (lambda case: (case.outdir / "b/out_b").write_text("a\n"), {"wrong"}),
        (lambda case: (case.outdir / "b/out_b").write_text(""), {"wrong"}),
        (lambda case: (case.outdir / "b/stranger").write_text(""), {"wrong"}),
        (lambda case: (case.environment / "work/000001.1/2/out_b").write_text("a\n"), {"wrong"}),
        (lambda case: (case.ran / "b").write_text("\n\n"), {"executions"}),
        (lambda case: (case.ran / "b").unlink(), {"lost"}),
        (lambda case: (case.ran / "x").write_text("\n"), {"wrong", "executions"}),
        (lambda case: add(case.environment / "exec/cache/1-0.tsv", ended(2, "000001.2")), {"twice"}),
        (lambda case: add(case.environment / "exec/cache/1-0.tsv", "manager\t1-0\tnode\t8\t2\t1.0\t5.2\t."), {"twice"}),
        (lambda case: (case.state / ".incoming-x").mkdir(), {"left behind"}),
        (lambda case: (case.outdir / "b/.locusts-x").touch(), {"left behind"}),
    ],
)
def test_it_sees(tmp_path: Path, harm: Callable[[Case], object], kinds: set[str]) -> None:
    case = made(tmp_path)
    harm(case)
    assert {fault.kind for fault in check(case)} == kinds


def packed(folder: Path, member: str = "2/out_b", content: bytes = b"b\n") -> tuple[Case, Path]:
    """Make what a swarm leaves whose second task left its output packed, behind a piece of no record."""
    case = made(folder)
    (case.environment / "work/000001.1/2/out_b").unlink()
    archive = case.environment / "work/000001.1.tar"
    piece = io.BytesIO()
    with tarfile.open(fileobj=piece, mode="w") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    data = piece.getvalue()
    archive.write_bytes(b"torn" + data)
    said = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.split()[0].decode()
    records = case.environment / "exec/cache/1-0.tsv"
    change(records, ended(2), ended(2, log=f"0@4:{len(data)}:{said}"))
    return case, archive


def test_packed_outputs_are_looked_for_in_archives(tmp_path: Path) -> None:
    assert check(packed(tmp_path)[0]) == []


@pytest.mark.parametrize(("member", "content"), [("2/out_b", b"a\n"), ("1/out_b", b"b\n")])
def test_it_sees_what_is_wrong_in_an_archive(tmp_path: Path, member: str, content: bytes) -> None:
    assert {fault.kind for fault in check(packed(tmp_path, member, content)[0])} == {"wrong"}


@pytest.mark.parametrize("harm", ["torn", "gone", "other"])
def test_a_piece_is_whole_unless_somebody_damaged_it(tmp_path: Path, harm: str) -> None:
    case, archive = packed(tmp_path)
    data = archive.read_bytes()
    archive.write_bytes({"torn": data[:-1], "gone": b"", "other": data.replace(b"b\n", b"a\n")}[harm])
    assert {fault.kind for fault in check(case)} == {"wrong"}
    assert check(replace(case, damaged={"000001.1"})) == []


def test_a_torn_record_counts_for_nothing(tmp_path: Path) -> None:
    case = made(tmp_path)
    with (case.environment / "exec/cache/1-0.tsv").open("a") as file:
        file.write(ended(2, "000001.2"))  # without the end of its line
    assert check(case) == []


def test_a_fault_names_what_it_is_about(tmp_path: Path) -> None:
    case = made(tmp_path)
    (case.outdir / "b/out_b").write_text("a\n")
    assert Fault("wrong", "out_b holds b'a\\n'") in check(case)


def test_fields_are_read_as_they_were() -> None:
    assert unescape(r"a\tb\nc\\n") == "a\tb\nc\\n"
