"""A hostile host forges what a laptop is rebuilt from, and what became of a tree: nothing is taken that leads out."""

from __future__ import annotations

from tests.support.hostile import Answer, Savings, Step, World, breaks, changes, prints, savings, says
from tests.support.hostile_cases import Arms, Case, gives, parametrized, play
from tests.support.hostile_program import BEGIN
from tests.support.sshd import needs_sshd

pytestmark = needs_sshd
__all__ = ["savings"]

DIGITS = "9" * 5000
OBEYED = "\x1b]52;c;cm0=\a\x9b2J\u202e"


# ---------------------------------------------------------------------------------------------------------------------
# The plan


def file(path: str, content: str) -> Arms:
    """Let a file of the environment hold something; ID is the id of the environment, HOME the laptop's home."""

    def arm(world: World) -> tuple[Answer, ...]:
        place = world.environment / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content.replace("ID", world.id).replace("HOME", str(world.home)))
        return ()

    return arm


def plan(*fields: str) -> Arms:
    """Let the plan of the first chunk have this line; it says that this is all of it."""
    return file("exec/plan/000001", "\t".join(fields) + "\t.\nend\t1\tID\t.\n")


def ids(*names: str) -> list[Case]:
    """Return cases of tasks with these ids."""
    refused = "holds a name that no task of ours has"
    return [Case(f"the id {name[:30]!r}", "attach", plan("1", name, "c", "out.txt"), says=refused) for name in names]


def outputs(*names: str) -> list[Case]:
    """Return cases of tasks with these outputs."""
    refused = "holds a name that no task of ours has"
    return [Case(f"the output {name[:30]!r}", "attach", plan("1", "a", "c", name), says=refused) for name in names]


#: Of a number that is none of ours.
WRONG = "the number of no submission"
NOTHING_DONE = "attach; collect"
UP = "../../../"


@parametrized(
    *ids(f"{UP}home/.ssh", "..", ".", "", "/etc", "a/b", "logs", "tasks.tsv", "batch_000", "a\\x00b", "x" * 300),
    *outputs(f"{UP}.ssh/authorized_keys", "HOME/.bashrc", "a/../../b", "a//b", "./a", "a/", "a\\x00", "x" * 256),
    *outputs("/".join(["x" * 200] * 30)),
    Case("a million outputs", NOTHING_DONE, plan("1", "a", "c", *["x"] * 1_000_000), 1),
    Case("a line of 20 MB", NOTHING_DONE, plan("1", "a", "c" * 20_000_000, "out.txt"), 1),
    *(
        Case(
            f"a task with the number {number[:9]}",
            NOTHING_DONE,
            plan(number, "a", "c", "out.txt"),
            int(len(number) == 18),
        )
        for number in ("", "x", "-1", "0", "1e9", "\u0661", "²", "9" * 18, DIGITS)
    ),
    *(
        Case(f"a chunk with the number {number[:9]}", NOTHING_DONE, file(f"exec/plan/{number}", "1\tz\tc\t.\n"), 0)
        for number in ("x", "-1", "1e9", "²", "9" * 18, "9" * 250)
    ),
    Case("two tasks of one number", NOTHING_DONE, file("exec/plan/000009", "1\tz\tc\tout.txt\t.\nend\t1\tID\t.\n"), 0),
    Case(
        "one task twice", NOTHING_DONE, file("exec/plan/000009", "9\ta\tc\tout.txt\t.\nend\t1\tID\t.\n"), 1, lies=True
    ),
    Case("another id beside it", "attach", file("exec/id.deadbeef", f"{OBEYED}\n"), 2, "has no id"),
    Case("a founder that a terminal obeys", NOTHING_DONE, lambda w: file(f"exec/id.{w.id}", f"{OBEYED}\n")(w), 0),
    *(
        Case(
            f"a submission with the number {number[:9]}",
            "attach",
            file(f"exec/started.{number}/token", "x\n"),
            3,
            WRONG,
        )
        for number in ("x", "-1", "²", "999999999", "9" * 200)
    ),
    Case("a token that a terminal obeys", "attach; status", file("exec/started.1/token", f"{OBEYED}\n"), 0),
    Case("chunks of 5,000 digits", NOTHING_DONE, file("exec/started.1/chunks", f"{DIGITS} {DIGITS}\n"), 0),
    Case("a job of 5,000 digits", NOTHING_DONE, file("exec/started.1/job", f"{DIGITS}\n"), 0),
    Case("nothing but a chunk", "attach", gives(says("read_plan", b"\nchunk\t1\n1\ta\tc\t.\n")), 2, "has no id"),
    Case("a plan of NULs", "attach", gives(says("read_plan", bytes(1_000_000))), 2, "has no id"),
    Case("a plan of others", "attach", gives(says("read_plan", f"x\t{OBEYED}\t{DIGITS}\n", 8)), 2, "not ours alone"),
    Case("no plan", "attach", gives(says("read_plan", b"", 77)), 3, "the plan in .* cannot be read"),
    Case(
        "a plan without an end",
        "attach",
        gives(breaks("read_plan", prints(BEGIN), ("goes_on", "chunk\t1\n", 0, 1))),
    ),
)
def test_plans(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# What there is of a tree


def scan(*entries: tuple[str, str, str]) -> Arms:
    """Let the list of the tree begin with these, after which comes the true one: a head, what a link holds, a path."""

    def arm(world: World) -> Answer:
        text = "".join(f"{head}\0{link}\0{path}\0" for head, link, path in entries).replace("HOME", str(world.home))
        return changes("scan_tree", BEGIN.decode(), BEGIN.decode() + text)

    return arm


def scanned(name: str, arms: Arms, code: int = 3, text: str = "") -> Case:
    """Return a case of a collect of a tree."""
    words = "collect --apply-removals"
    return Case(name, words, arms, code, text, "tree", lies=True)


NOT_WHOLE = "did not come whole"
REFUSED = "what came as the list of the tree .* is none"
FILE, FOLDER, LINK = "f 4 1700000000.0 777", "d 4 1700000000.0 777", "l 4 1700000000.0 777"


def raw_scan(*steps: Step) -> Arms:
    return gives(breaks("scan_tree", *steps))


@parametrized(
    *(
        scanned(f"{kind} at {path[:30]!r}", scan((head, "", path)), 3, REFUSED)
        for kind, head in (("a file", FILE), ("a folder", FOLDER), ("a link", LINK))
        for path in ("../../.bashrc", "HOME/.ssh/new", "")
    ),
    scanned("a path of empty parts", scan((FILE, "", "data//x")), 3, REFUSED),
    scanned("a path that is too long", scan((FILE, "", "x/" * 3000 + "x")), 3, REFUSED),
    *(
        scanned(f"the entry {head[:30]!r}", scan((head, "", "data/x")), 3, REFUSED)
        for head in (
            "",
            "f",
            f"f {DIGITS} 1.0 644",
            "f -1 1.0 644",
            "f 1 nan 644",
            "f 1 1.0 9",
            "f 1 1.0 77777",
            OBEYED,
        )
    ),
    *(
        scanned(f"an entry of the kind {kind!r}", scan((f"{kind} 0 1.0 777", "", "data/x")), 0)
        for kind in ("p", "s", "c", "b", "?", "Z")
    ),
    scanned("all bits of a mode", scan(("f 4 1.0 7777", "", "data/x")), 3, NOT_WHOLE),
    scanned(
        "a file and a folder of one name",
        scan((FILE, "", "data/x"), (FOLDER, "", "data/x/y"), (FILE, "", "data/x/y/z")),
        3,
        NOT_WHOLE,
    ),
    scanned(
        "a folder through a link",
        scan((LINK, "HOME/.ssh", "data/x"), (FILE, "", "data/x/authorized_keys")),
        3,
        NOT_WHOLE,
    ),
    scanned("a link that leads out", scan((LINK, "HOME/.ssh", "data/x"), (LINK, "../../../..", "data/y")), 0),
    scanned("a link to a link that leads out", scan((LINK, "sub", "data/x"), (LINK, "x/../../..", "data/y")), 0),
    scanned("a link that a terminal obeys", scan((LINK, OBEYED, "data/x")), 0),
    scanned("a hook of version control", scan((FILE, "", ".git/hooks/post-checkout"), (FOLDER, "", ".git/hooks")), 0),
    scanned("what was not sent", scan((FILE, "", "private/secret.txt")), 3, NOT_WHOLE),
    scanned("a folder in place of what was not sent", scan((FOLDER, "", "private/secret.txt")), 0),
    scanned("thousands that are not there", scan(*((FILE, "", f"data/x{n}") for n in range(5_000))), 3, NOT_WHOLE),
    Case("nothing is there", "collect", gives(says("scan_tree", b"")), 0, kind="tree", lies=True),
    scanned("half an entry", gives(says("scan_tree", b"f 1 1.0 644\0\0")), 3, REFUSED),
    scanned("a list of NULs", gives(says("scan_tree", bytes(300_000))), 3, REFUSED),
    scanned("a list that failed", gives(says("scan_tree", OBEYED, 1)), 3, "cannot be listed"),
    scanned("a list without an end", raw_scan(prints(BEGIN), ("goes_on", "f 1 1.0 644\0\0x\0", 0, 1))),
)
def test_scans(case: Case, savings: Savings) -> None:
    play(case, savings)


# ---------------------------------------------------------------------------------------------------------------------
# What both sides agreed on

NONE = "is no list of the tree"


def agreed(name: str, line: str, code: int = 3, text: str = "") -> Case:
    """Return a case of a list of what both sides agreed on, from which a laptop is rebuilt."""
    arms = file("exec/replica.tsv", line)
    return Case(name, "attach; collect --apply-removals", arms, code, text, "tree", lies=True)


FOLDER_MARK = "\td 0 0 0 "
MARK = "f 14 1700000000000000000 644 "


@parametrized(
    agreed("a file outside was agreed on", f"../../.bashrc\t{MARK}\t{MARK}\t{MARK}\t0\n", 3, NONE),
    agreed("an absolute path was agreed on", f"HOME/.bashrc\t{MARK}\t{MARK}\t{MARK}\t0\n", 3, NONE),
    agreed("a NUL was agreed on", f"a\\x00b\t{MARK}\t{MARK}\t{MARK}\t0\n", 3, NONE),
    agreed("what was not sent was agreed on", f"private/secret.txt\t{MARK}\t{MARK}\t{MARK}\t0\n", 0),
    agreed(
        "all of the tree was agreed on", "".join(f"{name}{3 * FOLDER_MARK}\t0\n" for name in ("private", ".git")), 0
    ),
    agreed("no mark", "data/list.txt\tx\ty\tz\t0\n", 3, NONE),
    agreed("a mark of 5,000 digits", f"data/list.txt\tf {DIGITS} 0 644 \t-\t-\t0\n", 3, NONE),
    agreed("a line of too few fields", "data/list.txt\n", 3, NONE),
    agreed("a line that a terminal obeys", f"{OBEYED}\n", 3, NONE),
    agreed("a line of 20 MB", "x" * 20_000_000, 3, NONE),
    agreed("nothing was agreed on", "", 0),
    Case("what was agreed on cannot be read", "attach", gives(says("read_file", b"", 1)), 3, "cannot be read", "tree"),
)
def test_what_was_agreed_on(case: Case, savings: Savings) -> None:
    play(case, savings)
