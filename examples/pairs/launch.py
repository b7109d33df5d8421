"""The tutorial of the original locusts, by `launch`: 101 pairs of files, as parameters.par says it.

Results and state go to the current folder, into my_output_dir and .locusts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import locusts_fab

HERE = Path(__file__).resolve().parent

COMMAND = (
    "sleep 1; "
    "ls -lrth inputfile_<id>.txt secondinputfile_<id>.txt <shared>sf1 > ls_output_<id>.txt; "
    "cat inputfile_<id>.txt secondinputfile_<id>.txt <shared>sf1 > cat_output_<id>.txt"
)


def main() -> None:
    """Run the pairs, and say how it went."""
    try:
        collected = locusts_fab.launch(
            indir=HERE / "inputs",
            outdir="my_output_dir",
            code="MngTest",
            spcins=["inputfile_<id>.txt", "secondinputfile_<id>.txt"],
            shdins=["sf1:sharedfile.txt"],
            outs=["ls_output_<id>.txt", "cat_output_<id>.txt"],
            cmd=COMMAND,
            parf=HERE / "parameters.par",
        )
    except locusts_fab.LocustsError as error:
        sys.exit(str(error))
    tasks = collected.status.tasks
    print(f"{tasks.done} of {tasks.total} tasks are done, {tasks.failed} failed; see {collected.results.tasks_table}")


if __name__ == "__main__":
    main()
