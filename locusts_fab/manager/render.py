"""The rendering of the scripts that run on the target; no other module uses Jinja.

A template sets values in one header, each through the filter `q` (quoted for bash) or `int`, and includes plain bash
from `templates/manager/`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jinja2

from locusts_fab.shell.quoting import quote_word
from locusts_fab.shell.scripts import templates_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache
def environment() -> jinja2.Environment:
    """Return the Jinja environment with our templates."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - bash, not HTML; every value goes through `q`, and a test holds us to it
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # Jinja's own marker for comments is a part of bash: ${#array[@]}
        comment_start_string="<#",
        comment_end_string="#>",
    )
    made.filters["q"] = _quoted
    return made


def _quoted(value: object) -> str:
    """Return a value as a word of bash, whatever its locale; one that is missing raises as it becomes text."""
    return quote_word(str(value))


def render(name: str, values: Mapping[str, Any]) -> str:
    """Return a script, rendered from its template.

    :param name: such as `manager.sh.j2`.
    :param values: the values in its header; one that is missing is an error.
    :returns: the script.
    """
    return environment().get_template(name).render(**values)
