"""Rendering: what Jinja makes of a template."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.render import environment, render
from locusts_fab.shell.scripts import templates_folder
from tests.support.locales import GB18030, variables
from tests.support.quoting import HOSTILE as HOSTILE_VALUES

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = ["a b", "it's", '"', "$(x)", "-rf", "new\nline", "tab\there", "back\\slash", "é", "*", "\\n"]


def rendered(template: str, **values: object) -> str:
    return environment().from_string(template).render(**values)


def test_our_templates_are_found() -> None:
    assert (templates_folder() / "manager.sh.j2").is_file()
    assert "manager.sh.j2" in environment().list_templates()


def test_a_template_is_rendered() -> None:
    assert render("start.sh.j2", {"setup": [], "manager": "m", "logs": "l"}).startswith("#!")


@pytest.mark.parametrize("value", ["", *HOSTILE, "<b>", "{{ x }}", "a\n\nb\n"])
def test_a_value_reaches_bash_as_it_is(value: str) -> None:
    script = rendered("x={{ x | q }}; printf '%s' \"$x\"", x=value)
    shown = subprocess.run(["bash", "-c", script], check=True, timeout=30, stdout=subprocess.PIPE)
    assert shown.stdout == value.encode()


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("value", [value for value in HOSTILE_VALUES if not value.isascii()])
def test_no_half_of_a_character_takes_a_quote_away(value: str, locpath: Path) -> None:
    script = rendered("x={{ x | q }}; y={{ x | q }}; printf '%s' \"$x$y\"", x=value)
    environment = {**os.environ, **variables(GB18030, locpath)}
    shown = subprocess.run(
        ["bash", "-s"], input=os.fsencode(script), check=True, timeout=30, stdout=subprocess.PIPE, env=environment
    )
    assert shown.stdout == os.fsencode(value) * 2


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(Exception, match="'x' is undefined"):
        rendered("{{ x | q }}")


def test_bash_is_not_taken_for_jinja() -> None:
    bash = 'a=(1 2); echo "${#a[@]}" "${#a}" # comment\n'
    assert rendered(bash) == bash


def test_lines_of_jinja_leave_no_trace() -> None:
    template = "a\n  {% if x %}\nb\n  {% endif %}\n<# a remark #>\nc\n"
    assert rendered(template, x=1) == "a\nb\nc\n"
    assert rendered(template, x=0) == "a\nc\n"
