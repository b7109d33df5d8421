"""Where the reads of a lane stand in the genome: a table of read, place and whether that place is masked."""

import json
import sys
from pathlib import Path

reference, reads, meta = map(Path, sys.argv[1:])
genome = "".join((reference / "genome.fa").read_text().split("\n")[1:])
masked = [tuple(map(int, line.split("\t")[1:])) for line in (reference / "masked.bed").read_text().splitlines()]
tissue = json.loads(meta.read_text())["tissue"]

print("read", "tissue", "place", "masked", sep="\t")
lines = reads.read_text().splitlines()
for name, read in zip(lines[::4], lines[1::4], strict=True):
    place = genome.find(read)
    is_masked = any(start <= place < end for start, end in masked)
    print(name[1:], tissue, place if place >= 0 else "", int(is_masked), sep="\t")
