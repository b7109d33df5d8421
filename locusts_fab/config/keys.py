"""The keys of a swarm as arguments of `Swarm.from_command`, for type checkers. A test holds them to `SwarmSettings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    AnyPath = str | PathLike[str]
    AnyScalar = str | int | float | bool


class SwarmKeys(TypedDict, total=False):
    """What `[swarms.NAME]` may hold besides `command` and `target`; None is as good as nothing."""

    strict: bool | None
    indir: AnyPath | None
    outdir: AnyPath | None
    inputs: Sequence[str] | None
    outputs: Sequence[str] | None
    optional_outputs: Sequence[str] | None
    nonempty: bool | None
    shared: Mapping[str, AnyPath] | None
    layout: Literal["tasks", "flat"] | None
    final: Mapping[str, Any] | None
    collect: Literal["all", "final"] | None
    pack: bool | None
    results: Literal["files", "archive"] | None
    retries: int | None
    timeout: str | float | None
    cpus_per_task: int | None
    gpus_per_task: int | None
    pin: bool | None
    keep: Literal["none", "failed", "all"] | None
    env: Mapping[str, AnyScalar] | None
    args: Sequence[Sequence[AnyScalar]] | None
    args_file: AnyPath | None
    sweep: Mapping[str, Sequence[AnyScalar]] | None
    command_file: AnyPath | None
    id: str | None
    missing_inputs: Literal["error", "skip"] | None
    environment: Literal["default", "custom"] | None
    root: AnyPath | None
    tree: AnyPath | None
    include: Sequence[str] | None
    exclude: Sequence[str] | None
    workdir: str | None
    in_place: bool | None
    breaker: int | None
    after: Sequence[str] | None
    max_failures: int | str | None
