"""Render the scripts that run on the target: the only room that knows Jinja.

A template sets values in one header, each through the filter `q` (quoted for bash) or `int`, and includes plain bash
from `templates/manager/`. A user's own template folder wins over ours.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from collections.abc import Mapping


def template_folder() -> Path:
    """Find our templates: inside the package where it is installed from a wheel, beside it in a checkout."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "templates"
    return inside if inside.is_dir() else here.parent / "templates"


@lru_cache
def environment(own: Path | None = None) -> jinja2.Environment:
    """Make the Jinja environment.

    :param own: a user's template folder, looked into before ours.
    """
    folders = [template_folder()] if own is None else [own, template_folder()]
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder) for folder in folders]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - bash, not HTML; every value goes through `q`, and a test holds us to it
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # Jinja's own marker for comments is a part of bash: ${#array[@]}
        comment_start_string="<#",
        comment_end_string="#>",
    )
    made.filters["q"] = shlex.quote
    return made


def render(name: str, values: Mapping[str, Any], own: Path | None = None) -> str:
    """Render a template.

    :param name: such as `manager.sh.j2`.
    :param values: what its header needs; one that is missing is an error.
    :returns: the script.
    """
    return environment(own).get_template(name).render(**values)
