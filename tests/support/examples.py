"""The swarms of `examples/`, run elsewhere too, and what must come back of them."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.support.workspace import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

EXAMPLES = REPOSITORY / "examples"


def take(name: str, folder: Path, target: str) -> None:
    """Copy an example into a folder, for another target.

    :param target: the lines of the config that say where tasks run.
    """
    left_out = shutil.ignore_patterns("results", ".locusts", "README.md")
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True, ignore=left_out)
    config = folder / "locusts.toml"
    text = config.read_text(encoding="utf-8")
    if "[targets." in text:  # of that, only the GPUs are meant
        target = target.replace("]\n", "]\ngpus = 2\n", 1)
        text = text[text.index("[swarms.") :]
    config.write_text(f"{target}\n{text}", encoding="utf-8")


def lanes() -> dict[str, str]:
    """Return what the alignment must give: each read is looked for as the example's program does."""
    folder = EXAMPLES / "lanes"
    genome = "".join((folder / "reference/genome.fa").read_text().split("\n")[1:])
    made = {}
    for path in (folder / "reads").iterdir():
        lines = path.read_text().splitlines()
        tissue = (folder / "meta" / f"{path.stem.rpartition('_')[0]}.json").read_text().split('"')[-2]
        rows = ["read\ttissue\tplace\tmasked\n"]
        for name, read in zip(lines[::4], lines[1::4], strict=True):
            place = genome.find(read)
            masked = int(60 <= place < 90 or 200 <= place < 215)
            rows.append(f"{name[1:]}\t{tissue}\t{place if place >= 0 else ''}\t{masked}\n")
        made[f"{path.stem}.tsv"] = "".join(rows)
    return made


def kmers() -> dict[str, str]:
    """Return what counting must give, for every text and every length."""
    made = {}
    for path in (EXAMPLES / "kmers/texts").iterdir():
        line = path.read_text().rstrip("\n")
        for size in (1, 2, 3):
            counts = Counter(line[at : at + size] for at in range(0, len(line), size))
            rows = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))
            made[f"{path.stem}_{size}.txt"] = "".join(f"{count} {piece}\n" for piece, count in rows)
    return made


def events() -> dict[str, str]:
    """Return what splitting must give: a file of each level that a day has, and the last words of fatal ones."""
    made: dict[str, str] = {}
    for path in (EXAMPLES / "events/logs").iterdir():
        day = path.stem.removeprefix("day_")
        for line in path.read_text().splitlines(keepends=True):
            level = f"{day}/{line.split()[1]}.events"
            made[level] = made.get(level, "") + line
        if f"{day}/FATAL.events" in made:
            made[f"{day}/last_words.txt"] = made[f"{day}/FATAL.events"].splitlines(keepends=True)[-1]
    return made


def chance(seeds: int = 400) -> dict[str, str]:
    """Return the sum of what all tasks hit; the numbers that awk draws are for awk to say."""
    throw = f"for (seed = 1; seed <= {seeds}; seed++) {{ srand(seed); for (dart = 0; dart < 100; dart++)"
    hit = "hits += rand() ^ 2 + rand() ^ 2 < 1 } print hits"
    hits = int(subprocess.run(["awk", f"BEGIN {{ {throw} {hit} }}"], capture_output=True, check=True).stdout)
    return {"final/pi.txt": f"{hits} {seeds * 100} {4 * hits / (seeds * 100):.6g}\n"}


def gpus() -> dict[str, str]:
    """Return which files there must be; what they say depends on who came first."""
    return {f"{model}_{fold}/use.txt": "" for model in ("small", "medium", "large") for fold in range(1, 9)}


def stages() -> dict[str, str]:
    """Return what both stages must give: the sorted words of each text, and the two most common."""
    made: dict[str, str] = {}
    for path in (EXAMPLES / "stages/texts").iterdir():
        words = sorted(path.read_text().split())
        made[f"words/{path.stem}/words_{path.stem}.txt"] = "".join(f"{word}\n" for word in words)
        common = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))[:2]
        made[f"common/{path.stem}/common.txt"] = "".join(f"{count} {word}\n" for word, count in common)
    return made


#: What each example must give: the text of each output, by its path below outdir.
EXPECTED: dict[str, Callable[[], dict[str, str]]] = {
    "lanes": lanes,
    "kmers": kmers,
    "events": events,
    "chance": chance,
    "gpus": gpus,
    "stages": stages,
}


def outputs(outdir: Path) -> dict[str, str]:
    """Read what came back, by its path below outdir, without tables and logs."""
    found = {}
    for path in outdir.rglob("*"):
        name = path.relative_to(outdir)
        if path.is_file() and name.name not in {"tasks.tsv", "outputs.tsv"} and "logs" not in name.parts:
            found[name.as_posix()] = path.read_text()
    return found


def assert_shared_out(used: Iterable[str]) -> None:
    """See that no two tasks had one GPU of one node at one time.

    :param used: what each task says: model, node, GPU, when it began to use it and when it ended.
    """
    uses: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for line in used:
        _, node, gpu, begin, end = line.split()
        uses[node, gpu].append((float(begin), float(end)))
    assert {gpu for _, gpu in uses} <= {"0", "1"}
    assert sum(map(len, uses.values())) == 24
    for times in uses.values():
        assert all(end <= begin for (_, end), (begin, _) in pairwise(sorted(times)))


def assert_right(name: str, outdir: Path) -> None:
    """See that just what must come has come, and that it is right."""
    found = outputs(outdir)
    if name == "gpus":  # when which was used is seen by the tasks alone
        assert_shared_out(found.values())
        found = dict.fromkeys(found, "")
    if name == "kmers":  # `uniq` fills counts up with blanks
        found = {path: "".join(f"{line.lstrip()}\n" for line in text.splitlines()) for path, text in found.items()}
    assert found == EXPECTED[name]()
