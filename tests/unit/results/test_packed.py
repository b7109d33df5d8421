"""What is taken out of pieces of archives: what was asked for, whole, and nothing that leads out, whoever made them."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locusts_fab.bounds.names import Name, TaskId
from locusts_fab.errors import TransferError
from locusts_fab.fs import Span
from locusts_fab.layout import Environment, Results
from locusts_fab.model.findings import Packed
from locusts_fab.model.tasks import Outcome, Piece, TaskState
from locusts_fab.results.archive import put_in_archive
from locusts_fab.results.packed import find_member, pieces_of, unpacked
from locusts_fab.state.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

CLAIM = "000001.1.c0ffee12"
ENVIRONMENT = Environment("/far/s", "c0ffee12")
PIECE = Piece(0, 1, 0)
PACKED = Packed(CLAIM, PIECE)


def outcome(number: int, *outputs: str, log: int = 0) -> Outcome:
    return Outcome(
        number=number,
        id=TaskId(f"t{number}"),
        command="x",
        outputs=tuple(map(Name, outputs)),
        state=TaskState.DONE,
        exit_code=0,
        attempts=1,
        node="",
        start_s=1.0,
        seconds=1.0,
        reason="",
        found=(True,) * len(outputs),
        log=log,
        claim=CLAIM,
        attempt=1,
        place="",
        piece=PIECE,
    )


def member(name: str, data: bytes | str = b"", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, 0o755
    if isinstance(data, str):
        info.linkname, data = data, b""
    info.size = len(data)
    return info, data


@contextmanager
def piece(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Iterator[Span]:
    path = tmp_path / "piece.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(b"before" + path.read_bytes() + b"after")
    with path.open("rb") as file:
        yield Span(file.fileno(), 6, path.stat().st_size - 11)


D, L, P = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE
HOSTILE = [
    ([member("1/out", "/etc/passwd", L)], {"out": "it is not there any more"}),
    ([member("1/out", "x", tarfile.LNKTYPE)], {"out": "it is not there any more"}),
    ([member("1/out", b"", P)], {"out": "it is not there any more"}),
    (
        [member("/1/out", b"x"), member("../1/out", b"x"), member("1/../1/out", b"x")],
        {"out": "it is not there any more"},
    ),
    ([member("2/out", b"x"), member("log.9", b"x")], {"out": "it is not there any more"}),
    ([member("1/out", b"", D), member("1/out/l", "/etc", L)], {"out": "l in it: it is a link that leads out of the"}),
    ([member("1/out", b"", D), member("1/out/l", "../..", L)], {"out": "l in it: it is a link that leads out of the"}),
    (
        [member("1/out", b"", D), member("1/out/l", ".", L), member("1/out/l/m", "x", L)],
        {"out": "l/m in it: it did not come whole"},
    ),
]


@pytest.mark.parametrize(("members", "told"), HOSTILE)
def test_what_leads_out_does_not_come(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], told: dict[str, str]
) -> None:
    results = Results(tmp_path / "results", is_flat=False)
    each = outcome(1, "out")
    (tmp_path / "state").mkdir()
    with (
        piece(tmp_path, *members) as span,
        unpacked({PACKED: span}, [each], ENVIRONMENT, results, tmp_path / "state") as fetched,
    ):
        found = {name.rpartition("/")[2]: why for name, why in fetched.troubles.items()}
        assert found.keys() == told.keys()
        assert all(why.startswith(told[name]) for name, why in found.items())
        links = [path for path in (tmp_path / "state").rglob("*") if path.is_symlink()]
        assert all(str(path.readlink()) == "." for path in links)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["piece.tar", "state"]


def test_what_was_asked_for_comes_once(tmp_path: Path) -> None:
    """The first of a name counts, as a folder and what is in it may both be outputs."""
    results = Results(tmp_path / "results", is_flat=False)
    members = [
        member("1/d", b"", D),
        member("1/d/x", b"first"),
        member("1/d/l", "x", L),
        member("1/d/x", b"second"),
        member("1/junk", b"x"),
        member("log.3", b"printed"),
    ]
    (tmp_path / "state").mkdir()
    with (
        piece(tmp_path, *members) as span,
        unpacked({PACKED: span}, [outcome(1, "d", "d/x", log=3)], ENVIRONMENT, results, tmp_path / "state") as fetched,
    ):
        assert fetched.troubles == {}
        base = Path(fetched.environment.root, "work", CLAIM)
        there = sorted(str(path.relative_to(base)) for path in base.rglob("*"))
        assert there == ["1", "1/d", "1/d/l", "1/d/x", "log.3"]
        assert str((base / "1/d/l").readlink()) == "x"
        assert (base / "1/d/x").read_bytes() == b"first"


def test_a_piece_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "file").write_bytes(b"x" * 2000)
    results = Results(tmp_path / "results", is_flat=False)
    with (tmp_path / "file").open("rb") as file:
        span = Span(file.fileno(), 0, 2000)
        with (
            pytest.raises(TransferError, match="results cannot be unpacked"),
            unpacked({PACKED: span}, [outcome(1, "out")], ENVIRONMENT, results, tmp_path / "state"),
        ):
            pass
        with pytest.raises(OSError, match="no archive"):
            find_member(span, "1/out")


def test_a_piece_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    results = Results(tmp_path / "results", is_flat=False)
    outcomes = [outcome(1, "out"), outcome(2, "out", log=1)]
    assert pieces_of(outcomes) == {PACKED: outcomes}
    with unpacked({PACKED: "gone"}, outcomes, ENVIRONMENT, results, tmp_path / "state") as fetched:
        assert set(fetched.troubles.values()) == {"gone"}
        assert len(fetched.troubles) == 3


@pytest.mark.parametrize(("members", "told"), HOSTILE)
def test_archives_hold_nothing_that_leads_out(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], told: dict[str, str]
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    results = Results(tmp_path / "results", is_flat=False, is_archive=True)
    with piece(tmp_path, *members) as span:
        placed = put_in_archive({PACKED: span}, [outcome(1, "out")], ENVIRONMENT, results, ledger.own_files)
    ledger.close()
    with tarfile.open(results.outdir / "archives/000001.tar") as archive:
        links = {each.name: each.linkname for each in archive if not each.isreg() and not each.isdir()}
    if "l/m" in told["out"]:  # a circle in a folder leads nowhere else
        assert set(links.values()) <= {".", "x"}
    else:
        assert [name for _, name, _ in placed.troubles] == ["out"]
        assert links == {}


def test_where_things_are_in_an_archive(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    results = Results(tmp_path / "results", is_flat=False, is_archive=True)
    long = "n" * 150
    members = [
        member("1/out", b"one"),
        member(f"1/{long}", b"long"),
        member("1/d", b"", D),
        member("1/d/x", b"inner"),
        member("log.1", b"said"),
        member("2/out", b""),
    ]
    outcomes = [outcome(1, "out", long, "d", log=1), outcome(2, "out")]
    with piece(tmp_path, *members) as span:
        placed = put_in_archive({PACKED: span}, outcomes, ENVIRONMENT, results, ledger.own_files)
    ledger.close()
    assert placed.troubles == []
    path = results.outdir / "archives/000001.tar"
    data = path.read_bytes()
    found = {(number, name): data[kept.offset :][: kept.size] for number, name, kept in placed.kept}
    assert found.pop((1, "d"))[:3] == b"t1/"
    assert found == {(1, "out"): b"one", (1, long): b"long", (1, ""): b"said", (2, "out"): b""}
    with tarfile.open(path) as archive:
        assert sorted(archive.getnames()) == sorted(["t1/out", f"t1/{long}", "t1/d", "t1/d/x", "logs/t1.log", "t2/out"])
        assert {(each.uid, each.uname) for each in archive} == {(0, "")}
