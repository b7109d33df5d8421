"""A hostile host says anything where it is asked what is new: at most the command ends, with a reason."""

from __future__ import annotations

from tests.support.hostile import Answer, Savings, Step, World, breaks, changes, prints, savings, says
from tests.support.hostile_cases import Arms, Case, cache, gives, parametrized, play
from tests.support.hostile_program import BEGIN, END
from tests.support.sshd import needs_sshd

pytestmark = needs_sshd
__all__ = ["savings"]


# ---------------------------------------------------------------------------------------------------------------------
# Frames


def framed(body: bytes, status: bytes = b"0") -> Step:
    return prints(BEGIN + body + END + status + b"\n")


FRAMES: list[tuple[str, list[Step]]] = [
    ("nothing at all", [("ends", 0)]),
    ("an exit status and nothing else", [("ends", 255)]),
    ("killed by a signal", [("dies", 9)]),
    ("no end mark", [prints(BEGIN + b"x\n")]),
    ("an end mark without its line end", [prints(BEGIN + b"x" + END + b"0")]),
    ("an end mark before the begin mark", [prints(END + b"0\n" + BEGIN)]),
    ("a second end mark inside", [framed(b"x" + END + b"0\n")]),
    ("a second begin mark inside", [framed(BEGIN + BEGIN)]),
    ("no number as exit status", [framed(b"", b"zero")]),
    ("an exit status in other digits", [framed(b"", "³".encode())]),
    ("a negative exit status", [framed(b"", b"-1")]),
    ("an exit status that no process has", [framed(b"", b"4294967296")]),
    ("marks in pieces", [*(prints(BEGIN[at : at + 1]) for at in range(len(BEGIN))), prints(END[1:] + b"\n0\n")]),
    ("NULs", [prints(bytes(100_000))]),
    ("NULs in a frame", [framed(bytes(100_000))]),
    ("bytes that are no UTF-8", [framed(b"\xff\xfe\x80" * 10_000)]),
    ("what a terminal obeys", [prints(b"\x1b]52;c;cm0=\a\x9b2J\xe2\x80\xae", 2)]),
    ("20 MB of noise before the mark", [prints(b"noise\n" * 3_500_000), framed(b"")]),
    ("20 MB of complaints", [prints(b"noise\n" * 3_500_000, 2), framed(b"")]),
]
ENDLESS: list[tuple[str, list[Step]]] = [
    ("an exit status of 10,000 digits", [framed(b"", b"9" * 10_000)]),
    ("endless noise", [("goes_on", "x" * 1000, 0, 1)]),
    ("endless output", [prints(BEGIN), ("goes_on", "x" * 1000, 0, 1)]),
    ("endless lines", [prints(BEGIN), ("goes_on", "\n", 0, 1)]),
    ("endless complaints", [prints(BEGIN), ("goes_on", "x" * 1000, 0, 2)]),
]
SLOW: list[tuple[str, list[Step]]] = [
    ("a byte now and then for ever", [prints(BEGIN), ("goes_on", "x", 0.2, 1)]),
    ("a complaint now and then for ever", [prints(BEGIN), ("goes_on", "x", 0.2, 2)]),
]
#: A host may say nothing for so long.
QUIET: dict[str, object] = {"locusts_fab.hosts.ssh:SshHost.run.__kwdefaults__.quiet_s": 1}
#: It may talk for so long.
LONG: dict[str, object] = {"locusts_fab.hosts.ssh:SshHost.run.__kwdefaults__.timeout_s": 2}
#: What is taken of records at a look, and in all.
FEW: dict[str, object] = {
    "locusts_fab.state.poll:MOST_BYTES": 1000,
    "locusts_fab.state.poll:_MOST_RECORDS": 500_000,
    "locusts_fab.state.poll:_RECORDS_OF_A_TASK": 100,
}


@parametrized(
    *(Case(name, "status", gives(breaks("poll", *steps))) for name, steps in FRAMES),
    *(Case(name, "status", gives(breaks("poll", *steps))) for name, steps in ENDLESS),
    *(Case(name, "status", gives(breaks("poll", *steps)), says="did not end", knobs=LONG) for name, steps in SLOW),
    Case(
        "silence",
        "status",
        gives(breaks("poll", prints(BEGIN), ("is_silent",))),
        says="did not answer within 1 s",
        knobs=QUIET,
    ),
)
def test_frames(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# What is in the frame of a poll

HUGE = "9" * 400
DIGITS = "9" * 5000


def heads(line: str) -> Arms:
    """Let the host say this of the manager; ID is the id of the environment."""
    return lambda world: changes("poll", r"1-0-[0-9a-f]+ \w+ \d+\n", line.replace("ID", world.id) + "\n")


def never_at_its_end(world: World) -> Answer:
    """Let the host say that the manager goes on, and has written a lot that is no record."""
    part = f"1-0-{world.id} alive 1\n" + "x\n" * 50_000
    return changes("poll", r"1-0-[0-9a-f]+ \w+ \d+\n.*?\n==", f"{part}\n==")


def queue(answer: str) -> Arms:
    """Let the host say this of a scheduler, though none was asked."""
    return gives(changes("poll", r"\n-\n\n", f"\n{answer}\n"))


def before_parts(lines: str) -> Arms:
    """Let the host say this of submissions."""
    return gives(changes("poll", "==locusts", f"{lines}==locusts"))


def founded(note: str) -> Arms:
    """Let the host say who made the environment, which it says is not ours."""
    return gives(says("poll", note, 6))


@parametrized(
    Case("no parts", "status", gives(says("poll", b""))),
    Case("another mark", "status", gives(says("poll", b"==locusts-0123456789abcdef==\n-\n\n"))),
    Case("an exit status that means nothing", "status", gives(says("poll", b"@MARK@\n-\n\n", 77))),
    Case("a founder of no name", "status", founded(""), 2, "has no id"),
    Case("a founder that a terminal obeys", "status", founded("deadbeef\t\x1b]0;\a\tx\t\u202e\t1\n"), 2, "not known"),
    Case("a founder at no time", "status", founded(f"deadbeef\ta\tb\tc\t{DIGITS}\n"), 2, "not known"),
    Case("open to others, in any words", "status", gives(says("poll", b"\xff\0\x1b[2J", 8)), 2, "not ours alone"),
    Case("a heartbeat of 400 digits", "status", heads(f"1-0-ID unknown {HUGE}"), 0),
    Case("a heartbeat of 5,000 digits", "status", heads(f"1-0-ID unknown {DIGITS}"), 0),
    Case("no heartbeat", "status", heads("1-0-ID unknown -1"), 1, "stalled"),
    Case("a process that is whatever", "status", heads("1-0-ID root 1"), 1, "stalled"),
    Case("a manager that is a path", "status", heads("../../1-0-ID alive 1"), 1, "stalled"),
    Case("a manager with a number of 18 digits", "status", heads(f"{'9' * 18}-0-ID alive 1"), 1, "stalled"),
    Case("a manager of a submission that is not", "status", heads("999999999-999999999-ID left 1"), 0),
    Case("a manager of another environment", "status", heads("1-0-deadbeef alive 1"), 0),
    Case("a million strangers", "status", before_parts("7\n" * 1_000_000), 0, "somebody else has submitted"),
    Case("submissions that were told, and are not", "status", before_parts("told 999999999\ntold 0\ntold -1\n"), 0),
    Case("no number as the scheduler's exit status", "status", queue("zero\n")),
    Case("5,000 digits as the scheduler's exit status", "status", queue(f"{DIGITS}\n")),
    Case("a scheduler that nobody has", "status", queue("0\n17_0|17|0|RUNNING|n|\x1b[2J\n"), 0),
    Case(
        "a full part at every poll",
        "status",
        never_at_its_end,
        heals=False,  # what it said of its records was entered
        knobs=FEW,
    ),
)
def test_polls(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# Records


def record(*fields: object) -> str:
    return "\t".join(map(str, (*fields, "."))) + "\n"


def recording(*lines: str) -> Arms:
    """Let the host's records begin with these, and hold the true ones too; ID is the id of the environment."""

    def arm(world: World) -> tuple[Answer, ...]:
        path = cache(world)
        first, rest = path.read_text().split("\n", 1)
        path.write_text(f"{first}\n{''.join(lines).replace('ID', world.id)}{rest}")
        return ()

    return arm


def ended(**other: object) -> str:
    """Return a record that a task has ended, with some fields as they are given."""
    fields: dict[str, object] = {"claim": "000001.1.ID", "task": 1, "attempt": 1, "state": "done", "exit": 0}
    fields |= {"start": "1700000000.0", "end": "1700000001.0", "found": "11", "log": 1, "reason": ""}
    return record("ended", *(fields | other).values())


NUMBERS = [
    ("exit", "1e3"),
    ("exit", HUGE),
    ("start", "nan"),
    ("end", "inf"),
    ("end", "1e400"),
    ("log", HUGE),
    ("task", "\u0661"),
]
NOWHERE = {"claim": "999999.9.ID", "attempt": 10**17, "log": 10**17}
CLAIMS = ("../../x.1.ID", "/etc/1.1.ID", "", ".", "000001.1.deadbeef")


@parametrized(
    Case("a line of 20 MB", "status", recording("began\t" + "x" * 20_000_000 + "\n"), 0),
    Case("half a million lines", "status", recording("began\tx\n" * 500_000), 0),
    Case("tasks that are not", "collect", recording(*(ended(task=task) for task in (10**17, -1, 0))), 0),
    Case("claims that lead out", "collect", recording(*(ended(claim=claim) for claim in CLAIMS)), 0),
    Case("attempts that ran nowhere", "collect", recording(*(ended(task=task, **NOWHERE) for task in (1, 2, 3))), 1),
    Case("negative numbers", "collect", recording(ended(attempt=-7, log=-7)), 0),
    Case("more outputs than there are", "collect", recording(ended(found="1" * 10_000)), 0),
    *(Case(f"{what} of {value[:9]}", "collect", recording(ended(**{what: value})), 0) for what, value in NUMBERS),
    Case(
        "a node that a terminal obeys",
        "status",
        recording(record("manager", "1-0-ID", "\x1b[2J", -5, -5, "-inf", "5"), record("left", "\x1b[2J\a", "nan")),
        0,
    ),
)
def test_records(case: Case, savings: Savings) -> None:
    play(case, savings)
