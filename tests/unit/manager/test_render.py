"""Rendering: what Jinja makes of a template."""

from __future__ import annotations

import subprocess

import pytest

from locusts_fab.manager.render import environment, render
from locusts_fab.shell.scripts import templates_folder

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
