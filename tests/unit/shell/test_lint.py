"""Warnings of places where a value is taken for code."""

from __future__ import annotations

import pytest

from locusts_fab.shell.template import Template

CODE = [
    "bash -c 'echo <id>'", 'sh -ec "echo <id>"', "timeout 5 nice bash -o pipefail -c 'x <id>' y", "eval echo <id>",
    "[ -v <id> ] && x", "test -v <id>", "printf -v <id> x", "printf -v<id> x", "read <id>", "read -r x <id> < f",
    "declare <id>=1", "declare <id>", "declare -i x=<id>", "local -n x=<id>", "export <id>", "unset <id>",
    "env -S <id>", "env -S'<id> x'", "sed s/a/<id>/e f", "sed -n -e 's/a/<id>/' f", "trap <id> EXIT", "let x=<id>",
    "awk '{ print <id> }' f", "awk -F , '<id>' f", "python3 -c 'print(<id>)'", "/usr/bin/python3.11 -c '<id>'",
    "perl -ne 'print <id>' f", "perl -e'<id>'", "ssh host ls <id>", "ssh -p 22 me@host 'ls <id>'",
    "xargs -I{} sh -c 'x {} <id>' < f", "find . -exec sh -c 'x <id>' \\;", "source <id>", ". <id>",
    "mapfile -C <id> x", "x | bash -c '<id>'", "( bash -c '<id>' )", "if bash -c <id>; then x; fi",
    "X=1 bash -c '<id>'", "PS4='<id>' bash -x f", "BASH_ENV=<id> bash f", "a=$(eval '<id>')",
    "tar --to-command=<id> -xf f", "rsync -e '<id>' a b", "parallel x <id>", "watch ls <id>", "Rscript -e 'x(<id>)'",
]  # fmt: skip
DATA = [
    "bash -c 'echo \"$1\"' _ <id>", "bash <id>.sh", "[ <id> = x ]", "printf %s <id>", "printf -v x %s <id>",
    "read x < <id>", "read -p '<id>' x", "declare x=<id>", "export X=<id>", "env X=<id> prog <id>", "awk -v x=<id> x f",
    "awk '{ print $1 }' <id>", "sed s/a/b/ <id>", "sed -n -e s/a/b/ <id>", "perl -ne print <id>", "python3 -c x <id>",
    "python3 run.py <id>", "ssh <id> ls", "find <id> -name x", "echo eval <id>",
    "grep -e <id> f", "eval x; echo <id>", "eval 'x' > <id>", "eval <id:raw>", "trap x EXIT; y <id>", "xargs <id>",
    "timeout 5 prog <id>", "echo $((<id>))", "tar -cf <id>.tar x", "rsync -a <id> b", "unset x; y <id>",
    "x=<id>; echo $x ${x%.txt} ${x:-1}", "n=$(wc -l < <id>); echo $((n + 1))", "x=1; echo $((x)) <id>",
    "x=<id>; [ $x -gt 3 ]", "x=<id>; [[ $x == y ]]",
]  # fmt: skip


def warnings(template: str) -> list[str]:
    return Template.command(template, ["id"]).suspects


@pytest.mark.parametrize("template", CODE)
def test_a_value_that_is_taken_for_code_is_a_warning(template: str) -> None:
    (warning,) = warnings(template)
    assert warning.startswith("<id> stands ")
    line, mark = warning.splitlines()[-2:]
    assert line[mark.index("^") : mark.rindex("^") + 1] == "<id>"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("x=<id>; echo $((x))", "x"),
        ("x='<id>'; ((x > 3)) && y", "x"),
        ("name=<id>\necho ${!name}", "name"),
        ("for i in <id> <id>; do echo $(( $i + 1 )); done", "i"),
        ("i=a<id>; echo ${a[i]}", "i"),
        ("n=<id>; echo ${v:n:2}", "n"),
        ("export x=<id>; let y=x+1", "x"),
        ("x=<id>; [[ $x -gt 3 ]] && y", "x"),
    ],
)
def test_a_variable_with_a_value_is_code_in_arithmetic(template: str, name: str) -> None:
    (warning,) = warnings(template)
    assert warning.startswith(f"{name} stands where bash evaluates it, and it holds a value")
    line, mark = warning.splitlines()[-2:]
    assert line[mark.index("^") : mark.rindex("^") + 1] == name


@pytest.mark.parametrize("template", DATA)
def test_other_values_are_not(template: str) -> None:
    assert warnings(template) == []


def test_the_first_of_several_places_is_marked() -> None:
    in_bash, in_eval = warnings("bash -c 'a <id>'; eval <id> <id>; echo <id>")
    assert "times" not in in_bash
    assert in_eval.splitlines()[0].endswith("no quoting can prevent (2 times):")
    (in_arithmetic,) = warnings("n=<id>; echo $((n)) $((n + 1))")
    assert "in arithmetic write the handle itself" in in_arithmetic
    assert in_arithmetic.splitlines()[0].endswith(" (2 times):")
