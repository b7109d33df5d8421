"""Handles: what bash makes of rendered commands, and what is refused."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import PlanError
from locusts_fab.shell.quoting import KEYWORDS
from locusts_fab.shell.template import BUILTINS, Template, handles_of_name, is_direct
from tests.support.locales import CHARMAPS, GB18030, TRIED, sequences, variables, why_not
from tests.support.quoting import HANDLES, HOSTILE, SHARED, check_in_bash, check_template, render, templates, values

if TYPE_CHECKING:
    from pathlib import Path


# -- what bash makes of it --


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("by_eval", [True, False])
@pytest.mark.parametrize("locale", TRIED)
@settings(max_examples=20, deadline=None)
@given(v=values, w=values)
def test_bash_gets_exactly_the_values_in_every_context(
    v: str, w: str, *, by_eval: bool, locale: str, locpath: Path
) -> None:
    check_in_bash(v, w, by_eval=by_eval, variables=variables(locale, locpath))


@pytest.mark.xdist_group("locales")
def test_bash_gets_exactly_each_of_the_hostile_values(locpath: Path) -> None:
    for number, value in enumerate(HOSTILE):
        other = HOSTILE[(7 * number + 3) % len(HOSTILE)]
        check_in_bash(value, other, by_eval=number % 2 == 0, variables=variables(TRIED[number % 3], locpath))


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("value", [value for value in HOSTILE if not value.isascii()])
def test_no_half_of_a_character_takes_a_quote_away(value: str, locpath: Path) -> None:
    check_in_bash(value, value, by_eval=False, variables=variables(GB18030, locpath))


@pytest.mark.xdist_group("locales")
@pytest.mark.parametrize("locale", TRIED)
@given(template=templates)
@settings(max_examples=70, deadline=None)
def test_no_value_becomes_code_whatever_the_template(template: str, *, locale: str, locpath: Path) -> None:
    check_template(template, variables=variables(locale, locpath))


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "they are there")
def test_in_no_encoding_is_a_quote_a_later_byte_of_a_character() -> None:
    paths = [
        CHARMAPS / f"{name}.gz" for name in ("GB18030", "GBK", "BIG5", "BIG5-HKSCS", "SHIFT_JIS", "EUC-JP", "EUC-TW")
    ]
    later = {path.name: {byte for each in sequences(path) for byte in each[1:]} for path in paths}
    assert 0x5C in later["GB18030.gz"] & later["BIG5.gz"] & later["SHIFT_JIS.gz"] & later["GBK.gz"]
    assert not {name for name, found in later.items() if found & set(b"'\"$ \n")}


# -- exact renderings --


@pytest.mark.parametrize(
    ("template", "values", "command"),
    [
        ("cat in_<id>.txt <shared>sf1 > out_<id>.txt", "0012", "cat in_0012.txt '../shared/sf1/a file' > out_0012.txt"),
        ("cat in_<id>.txt > out_<id>.txt", "a b", "cat in_'a b'.txt > out_'a b'.txt"),
        ("cat <shared>sf/<id> <shared>sf1x", "7", "cat /s/plain/7 '../shared/sf1/a file'x"),
        ("echo 100% %s <id>", "5", "echo 100% %s 5"),
        ("sort <file> out; a <b> c <id>", "7", "sort <file> out; a <b> c 7"),
        ("prog <id:raw> '<id:raw>' $((<id:raw>+1)) `x <id:raw>`", "-a -b", "prog -a -b '-a -b' $((-a -b+1)) `x -a -b`"),
        ("cat <<E\n<id:raw> <shared:raw>sf\nE", "$x", "cat <<E\n$x /s/plain\nE"),
        ("p <my column>", "x", "p x"),
        ("p <id>", "", "p ''"),
        ("p <id>", "k=v", "p 'k=v'"),
        ("p <id>", "~", "p '~'"),
        ("<id>", "time", "'time'"),
        ("<id>", "%1", "'%1'"),
        ("t<id> T<id>", "ime", "t'ime' Time"),
        ("<id>=1 x=<id>", "PATH", "'PATH'=1 x=PATH"),
        ("echo <id>>log", "2", "echo '2'>log"),
        ("{<id>,<id>} ~<id>", "1,2", "{'1,2','1,2'} ~'1,2'"),
        ("cat <<id>", "f", "cat <f"),
        ("cat <<shared>sf", "f", "cat </s/plain"),
        ("cat <<<<id>", "f", "cat <<<f"),
        ("cat 3< <id> 2><id>", "f", "cat 3< f 2>f"),
        ('p \\<id> "\\<id>" \\<arg0:raw>', "f", "p '<id>' \"\"'<id>'\"\" '<arg0:raw>'"),
        ('p "$X<id>"', "f", 'p "$X""f"'),
        ("# <id>", "\n rm", "# <id>"),
        ("it's a `broken line < x", "f", "it's a `broken line < x"),
        ("p a[<id>] x[<id>].txt", "0-9", "p a['0-9'] x['0-9'].txt"),
    ],
)
def test_commands_read_as_one_would_write_them(template: str, values: str, command: str) -> None:
    assert render(template, id=values) == command


@pytest.mark.parametrize(
    ("template", "complaint", "advice"),
    [
        ("echo `cat <id>`", "<id> stands in backticks", "$(…)"),
        ('echo "a `cat \'<id>\'`"', "<id> stands in backticks", "$(…)"),
        ("echo $((x<arg0> + 1))", "<arg0> stands in arithmetic", "expr <arg0> + 1"),
        ("((x = <id><arg0>))", "in arithmetic", "expr"),
        ("((x = 16#<id>))", "in arithmetic", "expr"),
        ('echo $((1 + "<id>"))', "in arithmetic", "expr"),
        ("echo $(($(p <id>)))", "in arithmetic", "expr"),
        ("echo $((<shared>sf))", "in arithmetic", "expr"),
        ("a=(x; '<id>')", "an operator stands among the words of an array", "quote it"),
        ("a=(x & '<id>')", "an operator stands among", "write )"),
        ("a=(x | '<id>')", "an operator stands among", "write )"),
        ("a+=(x > y) p '<id>'", "an operator stands among", "write )"),
        ("declare -a a=(x < <(y); '<id>')", "an operator stands among", "write )"),
        ("a=(@(x) '<id>')", "an operator stands among", "write )"),
        ("a=((x) '<id>')", "an operator stands among", "write )"),
        ("echo ${x:-<id>}", "in ${…}", "x=<id>; … ${x}"),
        ('echo "${x:-"$(p <id>)"}"', "in ${…}", "x=<id>"),
        ("cat <<EOF\nhello <id>\nEOF", "in a here-document", "<<< <id>"),
        ("x=$(cat <<-'E F'\n\t<id>\n\tE F\n)", "in a here-document", "<id:raw>"),
        ("cat << E\n\\\nE\n<id>", "in a here-document", "<<<"),
        ("cat <<<id>", "after <<", "<<< <id>"),
        ("cat << <id>", "after <<", "< <id>"),
        ("cat <<E<id>", "after <<", "< <id>"),
        ("echo $<id>", "right after a dollar sign", "\\$<id>"),
        ('echo "$<id>"', "right after a dollar sign", "\\$<id>"),
        ("x >& <id>", "after >& or <&", "> <id> 2>&1"),
        ('x 2>&"<id>"', "after >& or <&", "> <id> 2>&1"),
        (">&2>()a<id>", "after >& or <&", "> <id> 2>&1"),
        ("a[<id>]=1", "in an array subscript", "number"),
        ('a[ 1 + "<id>" ]+=1', "in an array subscript", "number"),
        ("a=( [<id>]=x )", "in an array subscript", "number"),
        ("[[ <id> -gt 3 ]]", "in a [[ … ]] that compares numbers", "[ … ]"),
        ('if [[ x && ( "<id>" -eq 3 ) ]]; then p; fi', "in a [[ … ]] that compares numbers", "[ … ]"),
        ("cat <shared>sg <id>", "<shared>sg: no shared file has this key", "did you mean <shared>sf? known keys: "),
        ("cat <shared> <id>", "<shared>: no shared file", "known keys: k.1, sf, sf1"),
        ("echo it's <id>", "no end is found for the ' here", "close it"),
        ('echo "<id>', 'no end is found for the " here', "close it"),
        ("echo $(p <id>", "no end is found for the ( here", "close it"),
        ("echo ${x <id>", "in ${…}", "x=<id>"),
        ("echo <id> `x", "no end is found for the ` here", "close it"),
        ("echo ${ p; } <id>", "only the newest bash", "$(…)"),
        ("cat <\\\n<id>", "a line may not end right after this sign", "blank"),
        ("(" * 60 + "<id>", "no end is found for the ((", "close it"),
        ("( " * 60 + "<id>", "more than 50 levels", "script"),
        ("echo <it's>", "with a name that means something to bash", "rename the column"),
    ],
)  # fmt: skip
def test_places_where_no_quoting_helps_are_refused(template: str, complaint: str, advice: str) -> None:
    with pytest.raises(PlanError) as caught:
        Template.command(template, [*HANDLES, "it's"], SHARED)
    assert complaint in caught.value.message
    assert advice in str(caught.value.hint)


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        (
            "echo $((<id> + 1))",
            {"7": "8", "-7": "-6", "+3": "4", "0": "1", "9223372036854775806": "9223372036854775807"},
        ),
        ("echo $((1-<id>)) $((2**<id>))", {"0": "1 1", "3": "-2 8"}),
        ("echo $((1-<id>))", {"-3": "4", "-0": "1"}),
        ("((x = 2 * <id>)); echo $x $[<id>]", {"7": "14 7", "-7": "-14 -7"}),
        ("for ((i=0; i<<id>; i++)); do printf $i; done; echo", {"3": "012", "1": "0"}),
        ("echo $((10#<id> + 1))", {"007": "8", "000010": "11", "0": "1"}),
        ("a=( $((<id>)) <(:) ); echo ${a[0]} 2>&$((<id>))", {"1": "1"}),
        ("[[ $((<id>)) -gt 3 ]] && echo y", {"4": "y"}),
    ],
)
def test_integers_may_stand_in_arithmetic(template: str, printed: dict[str, str]) -> None:
    for value, wanted in printed.items():
        done = subprocess.run(["bash", "-c", render(template, id=value)], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (f"{wanted}\n", "")


@pytest.mark.parametrize(
    ("template", "value", "why"),
    [
        *(
            ("echo $((<id> + 1))", value, "is none")
            for value in ("", "x", "a[$(x)]", "1.5", "1 ", "7\n", "٣", "1e3", "--1")
        ),
        *(("((x = <id>))", value, "as octal") for value in ("007", "-08", "00")),
        *(
            ("echo $[<id>]", value, "larger than")
            for value in ("9223372036854775808", "-9223372036854775808", "9" * 5000)
        ),
        ("echo $((10#<id>))", "-1", "has a sign"),
        ("for ((i=0; i<<id>; i++)); do :; done", "x", "is none"),
    ],
)
def test_other_values_in_arithmetic_are_refused(template: str, value: str, why: str) -> None:
    with pytest.raises(PlanError, match="<id> stands in arithmetic") as caught:
        render(template, id=value)
    assert why in caught.value.message
    assert "10#<id>" in str(caught.value.hint)


def test_a_refusal_points_at_the_place() -> None:
    with pytest.raises(PlanError) as caught:
        Template.command("cd x\n\techo `cat <arg0>` y\n", HANDLES)
    assert str(caught.value).splitlines() == [
        "<arg0> stands in backticks: no quoting makes its value safe there:",
        "     echo `cat <arg0>` y",
        "               ^^^^^^",
        "  write $(…) instead of `…`; <arg0:raw> puts values in as they are, if you trust them",
    ]


def test_a_shared_key_with_a_tail_is_named() -> None:
    assert Template.command("a \\<ids> <id> <shared>sf10 <shared>sf.txt <b>", HANDLES, SHARED).suspects == [
        "<shared>sf10: no shared file has this key, so it is the path of sf1 with a tail"
    ]


def test_a_template_knows_its_handles() -> None:
    assert Template.command('a <id> "<arg0:raw>" <shared>sf \\<arg1> # <temperature>', HANDLES, SHARED).handles == {
        "id",
        "arg0",
    }
    assert Template.name("a_<id>_<arg1>", HANDLES).handles == {"id", "arg1"}
    assert Template.command("true", HANDLES).handles == frozenset()


# -- file names --


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        ("in_<id>.txt", "in_7.txt", "7"),
        ("in_<id>.txt", "in_.txt", None),
        ("in_<id>.txt", "in_a/b.txt", None),
        ("in_<id>.txt", "in_7_txt", None),
        ("in_<id>.txt", "in_7.txt\n", None),
        ("<id>", "a\nb", "a\nb"),
        ("d/<id>/<id>.%[x]", "d/a1/a1.%[x]", "a1"),
        ("d/<id>/<id>.%[x]", "d/a1/a2.%[x]", None),
        ("<id>-<id>", "a-b-a-b", "a-b"),
        ("a\\<id>_<id>", "a<id>_7", "7"),
        ("fixed", "fixed", ()),
        ("<id>_<arg0>", "a_b", ("a", "b")),
        ("<arg0>_<id>", "a_b", ("a", "b")),
        ("<id>_<arg0>", "a_b_c", ("a_b", "c")),
        ("<id>_<arg0>_<id>", "a_b_c_a_b", ("a_b", "c")),
        ("<id>_<arg0>/<id>.x", "a_b_c/a.x", ("a", "b_c")),  # as the whole of it needs
        ("<id>1<arg0>", "x1123", ("x1", "23")),
        ("<id>/<arg0>", "a/b/c", None),
        ("<id>_<arg0>", "_a", None),
    ],
)
def test_names_give_their_values(template: str, name: str, values: str | tuple[str, ...] | None) -> None:
    expected = (values,) if isinstance(values, str) else values
    assert Template.name(template, HANDLES).match(name) == expected


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        ("<id>_<arg0>", "a_b", None),
        ("<id>_<arg0>", "a", None),
        ("<id>_<arg0>", "a_b_c", ("a", "b_c")),
        ("<id>_<arg0>_<id>", "a_b_c_a_b", None),
        ("<id>_<arg0>/<id>.x", "a_b_c/a.x", None),
        ("<id>_<id>", "a_b_a_b", None),
    ],
)
def test_a_name_that_can_be_read_otherwise(template: str, name: str, values: tuple[str, ...] | None) -> None:
    assert Template.name(template, HANDLES).match_otherwise(name) == values


@pytest.mark.parametrize(
    ("template", "pair"),
    [
        ("<id><arg0>.x", ("id", "arg0")),
        ("<id>/<id><arg0>", None),
        ("<id><id>", None),
        ("<id>_<arg0>", None),
        ("<id>", None),
        ("x", None),
    ],
)
def test_handles_with_nothing_between_them(template: str, pair: tuple[str, str] | None) -> None:
    assert Template.name(template, HANDLES).run_together == pair


@pytest.mark.parametrize(
    ("text", "handles"),
    [
        ("<b>_<a>.x", ["b", "a"]),
        ("<a>/<a:raw>", ["a"]),
        ("<arg0> <shared>x <shared:raw>y", []),
        ("<arg> <argX> <sharedness>", ["arg", "argX", "sharedness"]),
        ("\\<a> <> < b> <1> <c.d-e> <ü> <a:b>", ["c.d-e"]),
        ("plain", []),
    ],
)
def test_handles_that_nobody_named_before(text: str, handles: list[str]) -> None:
    assert handles_of_name(text) == handles


names = st.text(st.characters(exclude_characters="<>/\\\0", codec="utf-8"), max_size=12)


@given(before=names, after=names, task_id=values.filter(lambda text: text and "/" not in text))
@settings(deadline=None)
def test_a_rendered_name_matches_its_own_id(before: str, after: str, task_id: str) -> None:
    once = Template.name(f"{before}<id>{after}", HANDLES)
    twice = Template.name(f"{before}<id>/{after}<id:raw>", HANDLES)
    assert once.render({"id": task_id}) == before + task_id + after
    assert once.match(once.render({"id": task_id})) == (task_id,)
    assert twice.match(twice.render({"id": task_id})) == (task_id,)
    assert twice.match_otherwise(twice.render({"id": task_id})) is None


def test_names_refuse_what_is_no_handle() -> None:
    with pytest.raises(PlanError, match="did you mean <temperature>") as caught:
        Template.name("out_<temprature>.txt", HANDLES)
    assert "<temprature> is no handle here:\n    out_<temprature>.txt\n        ^^^^^^^^^^^^" in str(caught.value)
    with pytest.raises(PlanError, match="known keys: none"):
        Template.name("<shared>x", HANDLES)
    assert (
        Template.name("<shared>sf1.<id> <> < a> 50%", HANDLES, SHARED).render({"id": "$x"})
        == "../shared/sf1/a file.$x <> < a> 50%"
    )


# -- commands without a shell of their own --

DIRECT = [
    "cat in_<id>.txt <shared>sf1 > out_<id>.txt",
    "./prog.sh -x <id> 'a $b; (c)' \"d 'e'\" f\\ g < in >> out 2>&1",
    "awk '{print $1}' in",
    'python3 run.py --seed=<arg0> "<id>" &> log',
    "ls *.txt ~/x [ab]? a=b",
    "  cat 'a  b'  ",
    "/bin/echo x >&2",
    "sort <file> out",
    "cat",
]
INDIRECT = [
    "", " ", "a; b", "a | b", "a & b", "a &", "a && b", "a || b", "a\nb", "(a)", "{ a; }", "a {b,c}", "! a", "a $x",
    'a "$x"', "a `b`", 'a "`b`"', "a $(b)", "x=1 a", "x=1", "<in a", "> out a", "<id> a", "<id>x", "a<id> b", "a<x",
    "'a' b", '"a"', "a\\ b", "~/a", "*", "[ a ]", "[[ a ]]", "echo a", "cd x", "time a", "if a", ". a", "source a",
    "exec a", "-x", "a <id:raw>", "cat <<E", "cat <<< x", "cat <<id>", "a <(b)", "a >(b)", "a <id>&1", "a <x 2>&1",
    "a >&x", "a >&<id>", "a # b", "a 'b", 'a "b', "a b\\", "a 'b\nc'", "a \\\n b", "a >| b", "a <& b", "a @(b)",
    "f() b", "a 2>&1&",
]  # fmt: skip


@pytest.mark.parametrize("template", DIRECT)
def test_simple_commands_are_direct(template: str) -> None:
    assert is_direct(template)


@pytest.mark.parametrize("template", INDIRECT)
def test_all_others_are_left_to_bash(template: str) -> None:
    assert not is_direct(template)


def test_no_word_of_bash_is_taken_for_a_program() -> None:
    listed = subprocess.run(["bash", "-c", "compgen -b; compgen -k"], capture_output=True, text=True, check=True).stdout
    assert set(listed.split()) <= KEYWORDS | BUILTINS


def test_direct_commands_do_under_exec_what_they_do_in_a_shell() -> None:
    templates = ["printenv -- <id>", "/bin/echo <id> '$<id>' \"<id>\" 2>&1", "cat < in <shared>sf > out"]
    for value in ["a b", "$(touch canary)", "it's", "", "; touch canary"]:
        for template in filter(is_direct, templates):
            command = render(template, id=value)
            outputs = [
                subprocess.run(["bash", "-c", f"( {how} {command} )"], capture_output=True, cwd="/", check=False).stdout
                for how in ("", "exec")
            ]
            assert outputs[0] == outputs[1]


def test_a_command_of_thousands_of_lines() -> None:
    """As long as a command may be: reading it took the square of its length, more than a minute."""
    lines = ["echo 'a b' \"$x\" $(date) <id> [ a[0] ] > b"] * 2500
    template = Template.command("\n".join(lines), ["id"])
    assert template.render({"id": "it's"}) == "\n".join(lines).replace("<id>", "'it'\\''s'")
