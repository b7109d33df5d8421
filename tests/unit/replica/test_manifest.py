"""Marks, lists of a tree, the manifest of what both sides last agreed on, and what follows from them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locusts_fab.hosts.local import LocalHost
from locusts_fab.replica.manifest import (
    Agreed,
    Change,
    Mark,
    agree,
    changes_since_staging,
    folder_mark,
    format_changes,
    format_manifest,
    is_ours_untouched,
    mark_of,
    news_of_tree,
    parse_manifest,
    parse_scan,
)
from locusts_fab.shell.scripts import remote_script
from locusts_fab.tsv import join_fields
from tests.support.forged import NO_NUMBERS, NO_TIMES, encoded, texts
from tests.support.trees import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = Mark("f", 1, 10, 0o644), Mark("f", 2, 20, 0o644)
LINK = Mark("l", 0, 0, 0, "a")
NOTHING = Agreed(None, None, None)


# ---- marks ----


def test_a_scan_is_read_to_the_nanosecond() -> None:
    name = os.fsdecode(b"d/\xff\n")
    data = (
        b"f 5 12.0000000340 640\0\0a b\0"
        b"f 5 12.5 4755\0\0short\0"
        b"d 4096 12.3 755\0\0d\0"
        b"l 7 12.3 777\0to \xff\0" + os.fsencode(name) + b"\0p 0 12.0 600\0\0fifo\0"
    )
    assert parse_scan(data) == {
        "a b": Mark("f", 5, 12_000_000_034, 0o640),
        "short": Mark("f", 5, 12_500_000_000, 0o4755),
        "d": folder_mark(),
        name: Mark("l", 0, 0, 0, os.fsdecode(b"to \xff")),
        "fifo": Mark("p", 0, 0, 0),
    }
    assert parse_scan(b"") == {}


@pytest.mark.parametrize("mtime_ns", [-1, -500_000_000, -1_500_000_000, -2_000_000_000, 0, 1, 2**62])
def test_a_time_before_1970_is_the_same_on_both_sides(tmp_path: Path, mtime_ns: int) -> None:
    (tmp_path / "x").touch()
    try:
        os.utime(tmp_path / "x", ns=(mtime_ns, mtime_ns))
    except OSError:
        pytest.skip("this file system holds no such time")
    listed = LocalHost().run(remote_script("scan_tree"), str(tmp_path)).stdout
    assert parse_scan(listed) == {"x": mark_of(tmp_path / "x")}


def test_a_mark_is_of_the_entry_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("12345")
    (tmp_path / "file").chmod(0o640)
    os.utime(tmp_path / "file", ns=(1, 1_000_000_007))
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    assert mark_of(tmp_path / "file") == Mark("f", 5, 1_000_000_007, 0o640)
    assert mark_of(tmp_path / "link") == Mark("l", 0, 0, 0, "file")
    assert mark_of(tmp_path) == folder_mark()
    assert mark_of(tmp_path / "fifo") == Mark("p", 0, 0, 0)
    for absent in ("nothing", "file/below"):
        assert mark_of(tmp_path / absent) is None


# ---- the manifest ----

marks = st.builds(
    Mark,
    st.sampled_from("fdlp"),
    st.integers(0, 2**40),
    st.integers(0, 2**62),
    st.integers(0, 0o7777),
    st.sampled_from(["", "a b", *HOSTILE]),
)
known = st.builds(Agreed, st.none() | marks, st.none() | marks, st.none() | marks, st.booleans())


@given(st.dictionaries(st.sampled_from([*HOSTILE, "a/b", "c"]), known))
def test_a_manifest_holds_whatever_names_a_tree_has(manifest: dict[str, Agreed]) -> None:
    assert parse_manifest(format_manifest(manifest)) == manifest


def test_what_both_sides_hold_is_noted_and_what_was_staged_is_kept() -> None:
    assert agree(None, NEW, OLD) == Agreed(None, NEW, OLD)
    contested = agree(Agreed(OLD, OLD, OLD), NEW, OLD, is_contested=True)
    assert contested == Agreed(OLD, NEW, OLD, is_contested=True)
    assert agree(contested, NEW, NEW) == Agreed(OLD, NEW, NEW), "it is settled"


def test_what_is_untouched_here() -> None:
    assert is_ours_untouched(None, None)
    assert is_ours_untouched(Agreed(None, NEW, OLD), OLD)
    assert not is_ours_untouched(None, OLD)
    assert not is_ours_untouched(Agreed(None, NEW, OLD), NEW)
    assert not is_ours_untouched(Agreed(None, NEW, OLD), None)


# ---- what changed ----


@pytest.mark.parametrize(
    ("before", "theirs", "expected"),
    [
        (Agreed(OLD, NEW, NEW), OLD, None),
        (Agreed(OLD, OLD, OLD), NEW, ("changed", 2)),
        (Agreed(OLD, OLD, OLD), LINK, ("changed", 0)),
        (Agreed(OLD, OLD, OLD), None, ("removed", None)),
        (Agreed(OLD, OLD, OLD), folder_mark(), ("removed", None)),
        (Agreed(folder_mark(), folder_mark(), None), OLD, ("created", 1)),
        (None, NEW, ("created", 2)),
        (None, folder_mark(), None),
        (Agreed(folder_mark(), folder_mark(), None), None, None),
        (Agreed(OLD, OLD, NEW, is_contested=True), NEW, ("conflict", 2)),
        (Agreed(OLD, OLD, NEW, is_contested=True), OLD, None),
    ],
)
def test_what_tasks_did_to_an_entry(
    before: Agreed | None, theirs: Mark | None, expected: tuple[str, int | None] | None
) -> None:
    manifest = {} if before is None else {"x": before}
    found = changes_since_staging(manifest, {} if theirs is None else {"x": theirs})
    assert found == ([] if expected is None else [Change(expected[0], "x", expected[1])])


def test_changes_are_a_row_each() -> None:
    rows = format_changes([Change("created", "a\tb", 7), Change("removed", "c", None)])
    assert rows == b"change\tpath\tsize\ncreated\ta\\tb\t7\nremoved\tc\t\n"


def test_news_is_what_differs_from_the_manifest() -> None:
    manifest = {
        "same": Agreed(OLD, OLD, OLD),
        "other": Agreed(OLD, OLD, OLD),
        "d": Agreed(folder_mark(), folder_mark(), folder_mark()),
        "d/gone": Agreed(OLD, OLD, OLD),
        "known to be gone": Agreed(OLD, None, OLD),
    }
    theirs = {"same": OLD, "other": NEW, "new/x": NEW, "new": folder_mark()}
    assert news_of_tree(manifest, theirs) == (["new", "new/x", "other"], ["d/gone", "d"])
    hidden = {"same": OLD, "other": OLD, "d": Mark("u", 0, 0, 0)}
    assert news_of_tree(manifest, hidden) == (["d"], []), "nobody knows what is in it"
    assert changes_since_staging(manifest, hidden) == [Change("removed", "known to be gone", None)]
    assert news_of_tree({}, {}) == ([], [])
    assert news_of_tree({"x": NOTHING}, {}) == ([], [])


# ---- lists that somebody else wrote ----

FORGED_ENTRIES = [
    b"f 1 1.5 644\0\0../../victim/new\0",
    b"d 0 1.5 755\0\0/etc\0",
    b"f 1 1.5 644\0\0a/./b\0",
    b"f 1 1.5 644\0\0\0",
    b"f -1 1.5 644\0\0a\0",
    b"f 1 1.5 99999\0\0a\0",
    b"f 1 inf 644\0\0a\0",
    b"f " + b"9" * 5000 + b" 1.5 644\0\0a\0",
    b"f 1 " + b"9" * 30 + b" 644\0\0a\0",
    b"f 1 644\0\0a\0",
    b"\xff 1 1.5 644\0\0a\0",
    b"f 1 1.5 644\0\0",
    b"f 1 1.5 644\0\0a",
    b"nothing of the kind",
]


@pytest.mark.parametrize("entry", FORGED_ENTRIES)
def test_a_scan_that_no_find_prints(entry: bytes) -> None:
    with pytest.raises(ValueError, match=r"list|entry|absolute|`\.|empty"):
        parse_scan(b"f 1 1.5 644\0\0fine\0" + entry)


@pytest.mark.parametrize(
    "line",
    [
        "../../victim\tf 1 1 644 \tf 1 1 644 \tf 1 1 644 \t0",
        "/etc/passwd\t-\t-\t-\t0",
        "a\t-\t-\t0",
        "a\t-\t-\t-\t-\t0",
        "a\tf 1 1 \t-\t-\t0",
        "a\tf x 1 644 \t-\t-\t0",
        "a\tf 1 " + "9" * 5000 + " 644 \t-\t-\t0",
        "a\tl 0 0 0 \0\t-\t-\t0",
        "a",
    ],
)
def test_a_manifest_that_we_did_not_write(line: str) -> None:
    with pytest.raises(ValueError, match=r"manifest|mark|absolute|`\.\.`"):
        parse_manifest(os.fsencode(f"fine\t-\t-\t-\t0\n{line}\n"))


# ---- numbers that somebody forged ----

HEAD = ["f", "12", "1700000000", "644"]
#: Of sizes and modes; and of times, which may be negative.
FORGED = [(at, text) for at in (1, 3) for text in (*NO_NUMBERS, "9" * 19)]
FORGED += [(2, text) for text in (*NO_NUMBERS, *NO_TIMES, "--1") if text[-5:] not in {"-1", "1.5", "00800", "-1.0"}]


@pytest.mark.parametrize(("at", "text"), FORGED)
def test_a_list_with_a_forged_number_is_none(at: int, text: str) -> None:
    fields = [*HEAD[:at], text, *HEAD[at + 1 :]]
    with pytest.raises(ValueError, match=r"this is no entry of a tree: |the list ends"):
        parse_scan(encoded(f"{' '.join(fields)}\0\0x\0"))


@pytest.mark.parametrize("text", ["", "²", "٣", "9" * 28, "9" * 4301, "1_0", "inf", "1.5", "0x1", "+1", "8_", "\udcb2"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_manifest_with_a_forged_number_is_none(at: int, text: str) -> None:
    fields = [*HEAD[:at], text, *HEAD[at + 1 :]]
    with pytest.raises(ValueError, match="this is no mark of an entry: "):
        parse_manifest(encoded(join_fields(["x", " ".join([*fields, ""]), "-", "-", "0"])))


@given(at=st.integers(0, 3), text=texts, path=texts)
def test_any_text_in_any_field_of_a_list(at: int, text: str, path: str) -> None:
    fields = [*HEAD[:at], text, *HEAD[at + 1 :]]
    with contextlib.suppress(ValueError):
        parse_scan(encoded(f"{' '.join(fields)}\0{path}\0{path}\0"))
    with contextlib.suppress(ValueError):
        parse_manifest(encoded(join_fields([path, " ".join([*fields, ""]), "-", "-", text])))
