"""Handles that are misspelt: an error that says what was meant, and nothing where bash's own syntax is meant."""

from __future__ import annotations

import pytest

from locusts_fab.errors import PlanError
from locusts_fab.shell.template import Template

HANDLES = {"id", "arg0", "arg1", "temperature", "seed"}
SHARED = {"sf": "/s/sf/x"}


@pytest.mark.parametrize(
    ("command", "word", "meant"),
    [
        ("echo <temp> > o.txt", "<temp>", "<temperature>"),
        ("run <temprature>", "<temprature>", "<temperature>"),
        ("run <Temperature> <id>", "<Temperature>", "<temperature>"),
        ("cat in_<ID>.txt", "<ID>", "<id>"),
        ("run <arg5>", "<arg5>", "<arg1>"),
        ("run <id:row>", "<id:row>", "<id:raw>"),
        ("run <shard>sf", "<shard>", "<shared>"),
        ("run '<seeds>'", "<seeds>", "<seed>"),
        ("cat in_{id}.txt > out", "{id}", "<id>"),
        ("run --t={temperature}", "{temperature}", "<temperature>"),
        ("gzip {}", "{}", "<arg0>"),
        ("convert {} {.}.png", "{}", "<arg0>"),
        ("run {1} {2}", "{1}", "<arg0>"),
    ],
)
def test_what_looks_like_a_handle_and_is_none(command: str, word: str, meant: str) -> None:
    with pytest.raises(PlanError) as caught:
        Template.command(command, HANDLES, SHARED)
    assert caught.value.message.startswith(f"{word} is no handle here")
    assert command in caught.value.message
    assert f"did you mean {meant}?" in str(caught.value.hint)
    assert word[1:-1] in str(caught.value.hint)


@pytest.mark.parametrize(
    "command",
    [
        "sort <infile> out",
        "sort < temp > out",
        "sort <in> out",
        r"echo '\<temp>' <id>",
        r"echo \<ID>",
        "cat <title> x",
        "find . -name x -exec rm {} +",
        "ls | xargs -I{} cp {} b",
        "awk '{id}' in_<id>",
        "echo ${id} ${temperature}",
        "f() {}; f",
        "echo {a,b} {1..3}",
        "python -c 'x = {}' ",
        "printf %s <seed> {}",
    ],
)
def test_what_means_something_to_bash_or_a_program(command: str) -> None:
    Template.command(command, HANDLES, SHARED)
