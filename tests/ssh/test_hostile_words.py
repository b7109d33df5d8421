"""A hostile host says anything of itself, its scheduler, and what becomes of what it is told to do."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.support.hostile import Answer, Savings, Step, World, changes, prints, savings, says
from tests.support.hostile_cases import Arms, Case, config, gives, parametrized, play
from tests.support.sshd import needs_sshd

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = needs_sshd
__all__ = ["savings"]

DIGITS = "9" * 5000
OBEYED = "\x1b]52;c;cm0=\a\x9b2J\u202e"


# ---------------------------------------------------------------------------------------------------------------------
# Its root


def roots(*answers: Answer) -> Arms:
    """Let the target have a root that the host has to say."""

    def arm(world: World) -> tuple[Answer, ...]:
        path = world.project / "locusts.toml"
        _, head, swarm = path.read_text().partition("[swarms.s]")
        path.write_text(config(world, root="~/root") + head + swarm)
        return answers

    return arm


ROOTS: list[tuple[str, bytes | str]] = [
    ("that is empty", b""),
    ("that is relative", b"root"),
    ("of two lines", b"/root\n/other"),
    ("that a terminal obeys", f"/root{OBEYED}"),
    ("turned round", "/\u202eroot"),
    ("with a NUL", b"/root\0/other"),
    ("too long", b"/" + b"x" * 5000),
    ("endlessly deep", b"/x" * 5000),
]
MEANS_NOTHING = "the root ~/root means nothing there"


@parametrized(
    *(Case(f"a root {name}", "status", roots(says("resolve_root", root)), says=MEANS_NOTHING) for name, root in ROOTS),
    Case("a root as it is", "status", roots(), 0, "3 of 3 done"),
)
def test_roots(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# What it is told to do


#: What was sent is unpacked in so long a time.
SOON: dict[str, object] = {"locusts_fab.hosts.channel:_DIGEST_S": 1}


def fresh(
    name: str, answer: Answer, code: int, text: str = "", *, knobs: Mapping[str, object] = MappingProxyType({})
) -> Case:
    """Return a case of a first submit."""
    return Case(name, "submit", gives(answer), code, text, "fresh", knobs=knobs)


@parametrized(
    fresh("a complaint that a terminal obeys", says("reserve", OBEYED, 3), 3, "cannot be made"),
    fresh("taken by a stranger", says("reserve", DIGITS, 7), 2, "somebody else has submitted"),
    fresh("taken by none", says("reserve", b"\0\xff", 7), 2, "somebody else has submitted"),
    fresh("reserved, and nothing was made", says("reserve", b""), 2, "not ours any more"),
    fresh("a new folder in the way", says("new_folder", b"", 1), 0),
    fresh("an archive that is not taken", Answer("tar", "-xpof", (("ends", 0),)), 3),
    fresh("an archive that is taken for ever", Answer("tar", "-xpof", (("is_silent",),)), 0, knobs=SOON),
    fresh("a manager that starts nowhere", says("start_detached", OBEYED * 100, 4), 3, "did not start"),
    fresh("a manager that is somebody else's", says("start_detached", b"", 6), 2, "not ours any more"),
    fresh("a manager that has started, and has not", says("start_detached", b""), 0),
    Case("a fence of somebody else's", "cancel", gives(says("fence", b"", 6)), 2, "not ours any more"),
    Case("a fence that cannot be written", "cancel", gives(says("fence", OBEYED, 1)), says="cannot be written"),
    Case("a manager that never leaves", "cancel", gives(changes("poll", r"(gone|left) \d+\n", "alive 1\n")), 0),
    Case("nothing is removed", "clean --force", gives(says("remove", b"\0", 1)), says="cannot be removed"),
    Case("it says it was removed, and was not", "clean --force", gives(says("remove", b"")), 0),
)
def test_what_it_is_told_to_do(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# What it is

FACTS = {"bash": 2, "rsync": 3, "root": 0, "filesystem": 0, "missing": 2, "open": 2, "root_complaint": 2}
MANY_KEYS = b"".join(b"%d\0x\0" % each for each in range(100_000))


def fact(key: str, value: str) -> Arms:
    return gives(changes("probe", r"end\0\0", f"{key}\0{value}\0end\0\0"))


@parametrized(
    Case("half of a probe", "check", gives(changes("probe", r"end\0\0", b"")), says="ended half-way"),
    Case("a probe with nothing but an end", "check", gives(says("probe", b"end\0\0"))),
    Case("a probe of NULs", "check", gives(says("probe", bytes(100_001) + b"end\0\0"))),
    Case("a hundred thousand keys", "check", gives(says("probe", MANY_KEYS + b"end\0\0"))),
    *(Case(f"{key} that a terminal obeys", "check", fact(key, OBEYED), code) for key, code in FACTS.items()),
    *(Case(f"{key} of digits", "check", fact(key, f"{DIGITS}.{DIGITS} {DIGITS}"), code) for key, code in FACTS.items()),
)
def test_checks(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# Its scheduler

SQUEUE: list[tuple[str, list[Step], int]] = [
    ("nothing", [("ends", 0)], 1),
    ("an exit status", [("ends", 255)], 0),
    ("a signal", [("dies", 9)], 0),
    ("fields of nothing", [prints("|||||\n" * 1000)], 1),
    ("a job that is a path", [prints("../../x|17|0|RUNNING|n|\n")], 1),
    ("an index of 5,000 digits", [prints(f"17_{DIGITS}|17|{DIGITS}|SUSPENDED|n|\n")], 0),
    ("an index in other digits", [prints("17_\u0661|17|0|SUSPENDED|n|\n17_²|17|0|SUSPENDED|n|\n")], 0),
    ("what a terminal obeys", [prints(f"17_0|17|0|PENDING{OBEYED}|n|{OBEYED}\n"), prints(OBEYED, 2)], 0),
    ("a line of 10 MB", [prints("17_0|17|0|PENDING|n|" + "x" * 10_000_000 + "\n")], 0),
    ("a hundred thousand jobs", [prints("".join(f"17_{n}|17|{n}|PENDING|n|x\n" for n in range(100_000)))], 0),
    ("NULs", [prints(bytes(1000))], 1),
]
SBATCH: list[tuple[str, list[Step]]] = [
    ("nothing", [("ends", 0)]),
    ("a job that is a path", [prints("../../17\n")]),
    ("a job that is a command", [prints("17; touch x\n")]),
    ("a job of 5,000 digits", [prints(DIGITS + "\n")]),
    ("what a terminal obeys", [prints(f"{OBEYED}\n"), prints(f"{OBEYED}\n", 2), ("ends", 1)]),
]


def batch(steps: list[Step]) -> Arms:
    """Let the target have a scheduler, which knows no jobs yet."""

    def arm(world: World) -> tuple[Answer, ...]:
        path = world.project / "locusts.toml"
        path.write_text(path.read_text().replace('scheduler = "none"', 'scheduler = "slurm"'))
        return Answer("sbatch", "", tuple(steps)), Answer("squeue", "", (("ends", 0),))

    return arm


@parametrized(
    *(
        Case(
            f"squeue: {name}",
            "status",
            gives(Answer("squeue", "", tuple(steps))),
            code,
            kind="slurm",
        )
        for name, steps, code in SQUEUE
    ),
    *(Case(f"sbatch: {name}", "submit", batch(steps), 4, kind="fresh") for name, steps in SBATCH),
)
def test_schedulers(case: Case, savings: Savings) -> None:
    play(case, savings)
