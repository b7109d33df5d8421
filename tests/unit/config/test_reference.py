"""The reference says something of every key, in tables that hold together."""

from __future__ import annotations

import re

import pytest

from locusts_fab.config.reference import render_reference
from locusts_fab.config.schema import Container, Slurm, SwarmSettings, Table, Target


def test_it_is_the_same_each_time() -> None:
    assert render_reference() == render_reference()


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("[targets.NAME]", Target),
        ("[targets.NAME.slurm]", Slurm),
        ("[targets.NAME.container]", Container),
        ("[swarms.NAME]", SwarmSettings),
    ],
)
def test_every_key_has_a_row_with_type_default_and_meaning(title: str, model: type[Table]) -> None:
    section = render_reference().split(f"### `{title}`\n")[1].split("###")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    assert [row[0].strip() for row in rows] == [
        f"`{field.alias or name}`" for name, field in model.model_fields.items()
    ]
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        ("slots", "| `slots` | whole number | as many as a node has CPUs for |"),
        ("timeout", "| `timeout` | time | none |"),
        ("image", "| `image` | text | required |"),
        ("keep", '| `keep` | `"none"`, `"failed"`, `"all"` | `"failed"` |'),
        ("exclusive", "| `exclusive` | true or false or text | `false` |"),
        ("args", "| `args` | array of array of text | none |"),
    ],
)
def test_rows_read_well(key: str, cells: str) -> None:
    row = re.search(rf"^\| `{key}` .*$", render_reference(), re.MULTILINE)
    assert row is not None
    assert row[0].startswith(cells)
