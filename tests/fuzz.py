"""The long form of the tests of names and of quoting, `python -m tests.fuzz`.

Names of files against regular expressions; then hostile values, a real bash, three locales.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, seed, settings

from tests.support.locales import GB18030, TRIED, make_locale, variables, why_not
from tests.support.matching import Case, cases, check
from tests.support.quoting import check_in_bash, check_template, templates, values

if TYPE_CHECKING:
    from collections.abc import Callable

#: How many examples hypothesis makes with one seed: a pair of values in every context, or a template.
EXAMPLES = 25


def rounds(locale: str, folder: Path, number: int) -> dict[str, int]:
    """Try values and templates in a locale, with one seed; return how many commands of each kind were run."""
    counts = {"values": 0, "templates": 0}
    chosen = variables(locale, folder)
    thorough = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    def run(test: Callable[..., None]) -> None:
        seed(number)(thorough(test))()

    @given(v=values, w=values)
    def try_values(v: str, w: str) -> None:
        counts["values"] += check_in_bash(v, w, by_eval=number % 2 == 0, variables=chosen)

    @given(template=templates)
    def try_template(template: str) -> None:
        counts["templates"] += check_template(template, variables=chosen)

    run(try_values)
    run(try_template)
    return counts


def match_names(count: int, number: int) -> str:
    """Compare so many cases of names with the reference, with one seed; return what was tried."""
    accepted = 0
    thorough = settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @given(case=cases())
    def try_names(case: Case) -> None:
        nonlocal accepted
        accepted += check(case)

    seed(number)(thorough(try_names))()
    return f"{count} cases of names, seed {number}, of which {accepted} give tasks: as a regular expression says"


def main() -> int:
    """Try until enough commands were run in each locale, and print seeds and counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="how many commands to run in all")
    parser.add_argument("--names", type=int, default=5_000, help="how many cases of names of files to try before")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; 0: any")
    options = parser.parse_args()
    if reason := why_not():
        sys.stderr.write(f"{reason}\n")
        return 1
    first = options.seed or random.randrange(1, 1_000_000)
    if options.names:
        sys.stdout.write(f"{match_names(options.names, first)}\n")
    with tempfile.TemporaryDirectory() as folder:
        make_locale(GB18030, Path(folder))
        total, number = 0, first
        while total < options.runs:
            for locale in TRIED:
                counts = rounds(locale, Path(folder), number)
                total += sum(counts.values())
                each = ", ".join(f"{count} of {kind}" for kind, count in counts.items())
                sys.stdout.write(f"seed {number}, {locale}: {each}\n")
                sys.stdout.flush()
            number += 1
    seeds = f"seeds {first} to {number - 1}"
    sys.stdout.write(f"{total} commands in {len(TRIED)} locales, {seeds}: each value came out as it went in\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
