"""A hostile host sends anything in place of results: what comes is theirs, whole, or is told not to have come."""

from __future__ import annotations

import io
import tarfile

from tests.support.hostile import Answer, Savings, Step, World, breaks, changes, prints, savings, says
from tests.support.hostile_cases import Arms, Case, gives, parametrized, play, sandbox
from tests.support.hostile_program import BEGIN, END
from tests.support.sshd import needs_sshd

pytestmark = needs_sshd
__all__ = ["savings"]


# ---------------------------------------------------------------------------------------------------------------------
# tar

Member = tuple[str, dict[str, object], bytes]


def member(name: str, data: bytes = b"", **fields: object) -> Member:
    """Return a member of an archive. SANDBOX is that of task a, HOME the laptop's home."""
    return name, fields, data


def archived(world: World, *members: Member) -> bytes:
    """Return an archive of some members, and of the results as they are after them; without its end."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, fields, data in members:
            info = tarfile.TarInfo(_meant(world, name))
            info.size, info.mode = len(data), 0o644
            for key, value in fields.items():
                setattr(info, key, _meant(world, value) if isinstance(value, str) else value)
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
        end = output.tell()
        for path in sorted(world.environment.glob("work/*/*")):
            archive.add(path, f"./{path.relative_to(world.environment)}")
    honest = output.getvalue()
    return honest if members or not end else honest[end:]


def _meant(world: World, text: str) -> str:
    inner = str(sandbox(world, "a").relative_to(world.environment))
    return text.replace("SANDBOX", f"./{inner}").replace("HOME", str(world.home))


def tars(*members: Member) -> Arms:
    """Let tar send these first."""
    return lambda world: Answer("tar", "-cf", (prints(archived(world, *members)),))


def sends(*steps: Step) -> Arms:
    """Let tar send anything."""
    return gives(Answer("tar", "-cf", steps))


def cut(size: int) -> Arms:
    """Let tar send no more than so many bytes of the results."""
    return lambda world: Answer("tar", "-cf", (prints(archived(world)[:size]),))


def header(**fields: object) -> bytes:
    """Return the header of a member that may lie about itself."""
    info = tarfile.TarInfo("work")
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


#: The disk here is full as soon as something more is on it.
FULL: dict[str, object] = {"locusts_fab.bounds.budget:_KEPT_BYTES": 1 << 60, "locusts_fab.bounds.budget:_KEPT_SHARE": 1}
LINK, HARD, FIFO, DEVICE, FOLDER = (
    {"type": kind} for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
)
MEMBERS: list[tuple[str, list[Member]]] = [
    ("a link in place of an output", [member("SANDBOX/out.txt", **LINK, linkname="HOME/.ssh/id_ed25519")]),
    ("a hard link in place of an output", [member("SANDBOX/out.txt", **HARD, linkname="HOME/.ssh/id_ed25519")]),
    ("a hard link within", [member("SANDBOX/out.txt", **HARD, linkname="SANDBOX/folder/deep/x")]),
    ("a pipe in place of an output", [member("SANDBOX/out.txt", **FIFO)]),
    ("a device in place of an output", [member("SANDBOX/out.txt", **DEVICE, devmajor=1, devminor=5)]),
    ("a file through a link", [member("SANDBOX/folder", **LINK, linkname="HOME"), member("SANDBOX/folder/x", b"!")]),
    ("a file where a folder belongs", [member("SANDBOX/folder", b"!")]),
    ("a folder where another file is", [member("SANDBOX/out.txt/x", b"!")]),
    ("an absolute name", [member("HOME/.bashrc", b"!")]),
    ("a name that leads out", [member("SANDBOX/../../../../../../home/.bashrc", b"!")]),
    ("a name that leads out of an output", [member("SANDBOX/folder/../../../x", b"!")]),
    ("names of nothing", [member("", b"!"), member(".", **FOLDER), member("/", **FOLDER), member("//", b"!")]),
    ("a name that is no text", [member("SANDBOX/\udcff\udcfe", b"!")]),
    ("the same file twice", [member("SANDBOX/out.txt", b"!"), member("SANDBOX/out.txt", b"?")]),
    ("bits of the mode", [member("SANDBOX/folder/deep/y", b"!", mode=0o7777)]),
    ("a time before all times", [member("SANDBOX/folder/deep/y", b"!", mtime=-(2**62))]),
    ("a time after all times", [member("SANDBOX/folder/deep/y", b"!", mtime=2**62)]),
    ("thousands that nobody wants", [member(f"x{number}") for number in range(5_000)]),
]
BAD_SIZE = bytearray(header())
BAD_SIZE[124:136] = b"\x80" + bytes(3) + b"\xff" * 8
NEGATIVE = bytearray(header())
NEGATIVE[124:136] = b"\xff" * 12


@parametrized(
    *(Case(name, "collect", tars(*members), 1 if "where another" in name else 0) for name, members in MEMBERS),
    Case("no archive", "collect", sends(prints(b"no archive" * 1000)), 0),
    Case("an archive of nothing", "collect", sends(prints(bytes(10240))), 1),
    Case("an archive cut in a header", "collect", cut(700), 1),
    Case("an archive cut in a file", "collect", cut(2100), 0),
    Case("a size of 2^64", "collect", sends(prints(bytes(BAD_SIZE))), 0),
    Case("a negative size", "collect", sends(prints(bytes(NEGATIVE))), 0),
    Case("a long name without an end", "collect", sends(prints(header(type=b"L", size=1 << 20) + b"x" * 1000)), 0),
    Case("an extended header of nothing", "collect", sends(prints(header(type=b"x", size=512) + b"9 a\n" * 128)), 0),
    Case(
        "an exit status after all of it",
        "collect",
        lambda w: Answer("tar", "-cf", (prints(archived(w)), ("ends", 2))),
        0,
    ),
    Case("a death after all of it", "collect", lambda w: Answer("tar", "-cf", (prints(archived(w)), ("dies", 9))), 0),
    Case(
        "a header of 400 MB",
        "collect",
        sends(prints(header(type=b"L", size=400 << 20)), ("goes_on", "x", 0, 1)),
        0,
    ),
    Case(
        "an output without an end",
        "collect",
        lambda w: Answer(
            "tar", "-cf", (prints(header(name=_meant(w, "SANDBOX/out.txt"), size=1 << 40)), ("goes_on", "x", 0, 1))
        ),
        3,
        knobs=FULL,
    ),
    Case(
        "others without an end",
        "collect",
        sends(("goes_on", header(name="x").decode("latin-1"), 0, 1)),
    ),
    Case(
        "a sparse output",
        "collect",
        lambda w: Answer("tar", "-cf", (prints(sparse(_meant(w, "SANDBOX/out.txt"), 1 << 40)),)),
        0,
    ),
    Case(
        "silence in place of an archive",
        "collect",
        sends(("is_silent",)),
        0,
        knobs={"locusts_fab.hosts.channel:SILENCE_S": 1},
    ),
)
def test_archives(case: Case, savings: Savings) -> None:
    play(case, savings)


def sparse(name: str, size: int) -> bytes:
    """Return a member that is a hole of some size, as GNU tar writes one."""
    made = bytearray(header(name=name, type=b"S"))
    made[386:482] = bytes(96)
    made[386:398] = made[398:410] = b"00000000000\0"
    made[483:495] = b"\x80" + size.to_bytes(11, "big")
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


# ---------------------------------------------------------------------------------------------------------------------
# rsync

STATUSES = (1, 2, 3, 4, 5, 11, 12, 14, 20, 23, 24, 25, 30, 35, 126, 127, 255)


def syncs(*steps: Step) -> Arms:
    """Let tar do nothing, and rsync anything."""
    return gives(Answer("tar", "-cf", (("ends", 1),)), Answer("rsync", "--server", steps))


def elsewhere(world: World) -> tuple[Answer, ...]:
    """Let rsync send another folder, in which there are links under the names of outputs."""
    inner = sandbox(world, "a").relative_to(world.environment)
    other = world.folder / "far/evil" / inner
    other.mkdir(parents=True)
    (other / "out.txt").symlink_to(world.home / ".ssh/id_ed25519")
    (other / "folder").symlink_to(world.home / ".ssh")
    return (
        Answer("tar", "-cf", (("ends", 1),)),
        Answer("rsync", "--server", (("hears", str(world.environment), str(world.folder / "far/evil")),)),
    )


@parametrized(
    *(Case(f"rsync exits with {status}", "collect", syncs(("ends", status)), heals=False) for status in STATUSES),
    Case("rsync dies", "collect", syncs(("dies", 9))),
    Case("garbage in place of rsync", "collect", syncs(prints(b"garbage" * 10_000))),
    Case("NULs in place of rsync", "collect", syncs(prints(bytes(100_000)))),
    Case("endless garbage in place of rsync", "collect", syncs(("goes_on", "garbage", 0, 1))),
    Case("a complaint that a terminal obeys", "collect", syncs(prints(b"\x1b]52;c;x\a\x9b2J\n", 2), ("ends", 1))),
    Case("20 MB of complaints of rsync", "collect", syncs(prints(b"x" * 20_000_000, 2), ("ends", 1))),
    Case("endless complaints of rsync", "collect", syncs(("goes_on", "x" * 1000, 0, 2))),
    Case("endless lines of rsync", "collect", syncs(("goes_on", "complaint\n", 0, 2))),
    Case("another folder", "collect", elsewhere, 0),
    *(
        Case(f"rsync with {word}", "collect", syncs(("takes", 2, word)), code)
        for word, code in (("-l", 3), ("-D", 0), ("-R", 0), ("-K", 0), ("-L", 1))
    ),
)
def test_rsync(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# What it says that there is

DIGITS = "9" * 5000


def lists(head: str, text: str = "", path: str = "", name: str = "SANDBOX/folder") -> Arms:
    """Let the list of what there is begin with this, after which comes the true one."""

    def arm(world: World) -> Answer:
        entry = "\0".join(_meant(world, part) for part in (head, text, name, path))
        return changes("list_outputs", BEGIN.decode(), BEGIN.decode() + entry + "\0")

    return arm


@parametrized(
    Case("nothing is there", "collect", gives(says("list_outputs", b"")), 1),
    Case("half a list", "collect", gives(says("list_outputs", b"d 0\0\0./work")), 1),
    Case("a list that failed", "collect", gives(says("list_outputs", b"", 1)), 1),
    Case("a list of nothing but NULs", "collect", gives(says("list_outputs", bytes(1_000_000))), 1),
    Case("an output that is not ours", "collect", lists("f 1", name="./../../../home/.bashrc"), 0),
    Case("a kind that is none", "collect", lists("\x1b 1", path="y"), 1),
    Case("a size of 5,000 digits", "collect", lists(f"f {DIGITS}", path="y"), 1),
    Case("a negative size", "collect", lists("f -1", path="y"), 1),
    Case("a size in other digits", "collect", lists("f ²", path="y"), 1),
    Case("a link that leads out", "collect", lists("l 0", "../../../../../../.ssh/id_ed25519", "y"), 1),
    Case("a link to the home", "collect", lists("l 0", "HOME/.ssh", "y"), 1),
    Case("a link to a link that leads out", "collect", lists("l 0", "link/../../../../.ssh", "y"), 1),
    Case("a link of control characters", "collect", lists("l 0", "deep/\x1b]52;c;x\a\n", "y"), 0),
    Case("a link to nothing", "collect", lists("l 0", "", "y"), 1),
    Case("a link that leads above", "collect", lists("l 0", "deep/x", "../y"), 1),
    Case("a link at an absolute path", "collect", lists("l 0", "deep/x", "HOME/y"), 1),
    Case("a link below a file", "collect", lists("l 0", "x", "deep/x/y"), 1),
    Case("a link where a folder is", "collect", lists("l 0", "deep", "deep"), 0),
    Case("a link of 5,000 bytes", "collect", lists("l 0", "x" * 5000, "y"), 1),
    Case("a fault that a terminal obeys", "collect", lists("fault", "\x1b]52;c;x\a\x9b2J"), 1),
)
def test_lists(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# Logs


def logs(*steps: Step) -> Arms:
    return gives(breaks("read_file", prints(BEGIN, 2), prints(BEGIN + b"10\n"), *steps))


END_OF_LOG = prints(END + b"0\n")


@parametrized(
    Case("a log that a terminal obeys", "logs a", logs(prints(b"\x1b]52;c;x\a\x9b2J\r\b"), END_OF_LOG), 0),
    Case("a log of NULs", "logs a", logs(prints(bytes(100_000)), END_OF_LOG), 0),
    Case("a log that is no text", "logs a", logs(prints(b"\xff\xfe" * 10_000), END_OF_LOG), 0),
    Case("a log of 10 MB", "logs a", logs(prints(b"x" * 10_000_000), END_OF_LOG), 0),
    Case("a log without an end", "logs a", logs(("goes_on", "x\n", 0, 1))),
    Case("a log without a size", "logs a", gives(says("read_file", b"x")), 3, "log.* cannot be read"),
    Case("a log that cannot be read", "logs a", gives(says("read_file", b"", 1)), 3, "log.* cannot be read"),
)
def test_logs(case: Case, savings: Savings) -> None:
    play(case, savings)
