"""`locusts convert`."""

from __future__ import annotations

import sys

from locusts_fab.cli.command import plain_command


@plain_command(
    example="locusts convert parameters.par --cmd 'prog <id>'",
    lists=("spcins", "shdins", "outs"),
    par="The parameter file.",
    code="Name of the swarm (default: swarm).",
    indir="As in launch: folder of the inputs.",
    outdir="As in launch: folder for what comes back.",
    cmd="As in launch: the command template.",
    spcins="As in launch: an input of each task; can be given several times.",
    shdins="As in launch: a shared file, key:file; can be given several times.",
    outs="As in launch: an output of each task; can be given several times.",
    output="File to write, instead of standard output.",
    force="Write over a file that is there.",
)
def convert(
    _context: object,
    par: str,
    *,
    code: str = "swarm",
    indir: str | None = None,
    outdir: str | None = None,
    cmd: str | None = None,
    spcins: list[str] | None = None,
    shdins: list[str] | None = None,
    outs: list[str] | None = None,
    output: str | None = None,
    force: bool = False,
) -> None:
    """Make a config from an original parameter file."""
    from locusts_fab.cli.messages import print_note
    from locusts_fab.legacy.convert import convert as operation
    from locusts_fab.legacy.convert import save

    parts = {"indir": indir, "outdir": outdir, "cmd": cmd, "spcins": spcins, "shdins": shdins, "outs": outs}
    text = operation(par, code, parts)
    if output is None:
        sys.stdout.write(text)
        return
    save(text, output, force=force)
    print_note(f"written to {output}; try it with: locusts submit --dry-run --config {output}")
