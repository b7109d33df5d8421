"""The reference of locusts.toml as Markdown, made from the models in `schema.py`, so that it cannot go stale."""

from __future__ import annotations

import json
import types
import typing
from typing import TYPE_CHECKING, Any

from locusts_fab.config.schema import Container, Final, Slurm, SwarmSettings, Table, Target

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_TABLES: tuple[tuple[str, type[Table]], ...] = (
    ("[targets.NAME]", Target),
    ("[targets.NAME.slurm]", Slurm),
    ("[targets.NAME.container]", Container),
    ("[swarms.NAME]", SwarmSettings),
    ("[swarms.NAME.final]", Final),
)

_SIMPLE = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def render_reference() -> str:
    """Return every key of locusts.toml, its type, default and meaning, as Markdown tables.

    The text is the same for the same models, so that a check can compare it with the one in the docs.
    """
    return "\n".join(_render_table(title, model) for title, model in _TABLES)


def _render_table(title: str, model: type[Table]) -> str:
    lines = [f"### `{title}`", "", "| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        cells = (f"`{field.alias or name}`", _type_text(field), _default_text(field), field.description or "")
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _type_text(field: FieldInfo) -> str:
    return _shown(field, "type_text") or _describe(field.annotation)


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if shown := _shown(field, "default_text"):
        return shown
    if field.default in (None, [], {}):
        return "none"
    return f"`{json.dumps(field.default)}`"


def _shown(field: FieldInfo, key: str) -> str:
    """Return what a field shows to readers in place of its type or default, if it has such a text."""
    extra = field.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""


def _describe(annotation: Any) -> str:
    """Return a type in a scientist's words."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _describe(inner[0])
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_describe(part) for part in inner if part is not types.NoneType)
    if origin is typing.Literal:
        return ", ".join(f'`"{choice}"`' for choice in inner)
    if origin is list:
        return f"array of {_describe(inner[0])}"
    if origin is dict:
        return f"table of {_describe(inner[1])}"
    return _SIMPLE.get(annotation, "table")
