"""Rendering: what Jinja makes of a template."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from locusts_fab.manager.render import environment, render
from locusts_fab.shell.scripts import templates_folder

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = ["a b", "it's", '"', "$(x)", "-rf", "new\nline", "tab\there", "back\\slash", "é", "*", "\\n"]


def rendered(folder: Path, template: str, **values: object) -> str:
    (folder / "own.j2").write_text(template, encoding="utf-8")
    return render("own.j2", values, folder)


def test_our_templates_are_found() -> None:
    assert (templates_folder() / "manager.sh.j2").is_file()
    assert "manager.sh.j2" in environment().list_templates()


def test_the_users_own_template_wins(tmp_path: Path) -> None:
    (tmp_path / "start.sh.j2").write_text("mine", encoding="utf-8")
    assert render("start.sh.j2", {}, tmp_path) == "mine"
    assert render("start.sh.j2", {"setup": [], "manager": "m"}).startswith("#!")


@pytest.mark.parametrize("value", ["", *HOSTILE, "<b>", "{{ x }}", "a\n\nb\n"])
def test_a_value_reaches_bash_as_it_is(tmp_path: Path, value: str) -> None:
    script = rendered(tmp_path, "x={{ x | q }}; printf '%s' \"$x\"", x=value)
    shown = subprocess.run(["bash", "-c", script], check=True, timeout=30, stdout=subprocess.PIPE)
    assert shown.stdout == value.encode()


def test_a_value_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="'x' is undefined"):
        rendered(tmp_path, "{{ x | q }}")


def test_bash_is_not_taken_for_jinja(tmp_path: Path) -> None:
    bash = 'a=(1 2); echo "${#a[@]}" "${#a}" # comment\n'
    assert rendered(tmp_path, bash) == bash


def test_lines_of_jinja_leave_no_trace(tmp_path: Path) -> None:
    template = "a\n  {% if x %}\nb\n  {% endif %}\n<# a remark #>\nc\n"
    assert rendered(tmp_path, template, x=1) == "a\nb\nc\n"
    assert rendered(tmp_path, template, x=0) == "a\nc\n"
