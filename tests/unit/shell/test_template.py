"""Handles: what bash makes of rendered commands, and what is refused."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locusts_fab.errors import PlanError
from locusts_fab.shell.quoting import KEYWORDS
from locusts_fab.shell.template import BUILTINS, Template, is_direct

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLES = ("id", "arg0", "arg1", "temperature", "my column")
SHARED = {"sf1": "../shared/sf1/a file", "sf": "/s/plain", "k.1": "$(touch canary)"}


def render(template: str, **values: str) -> str:
    """Compile a command and put the same value in for every handle that none is given for."""
    everywhere = values.get("id", "x")
    return Template.command(template, HANDLES, SHARED).render({name: values.get(name, everywhere) for name in HANDLES})


# -- what bash makes of it --

#: Commands whose output is too intricate for a format string: see SPECIAL.
CHOPPED = r"p $'\x4<id>' $'\0<id>' $'\u00e<id>'"
PATTERNS = 'p "$(case <id> in (a\\ bc) p;; a|case) p;; <id>) printf %s. "<arg0>";; esac)<id>"'
DOCUMENTS = "cat <<'E F' - <<-\"G\"; p <id>\n(\\\nE F\n\tb'\n\tG\np '<arg0>'"
FILES = "p <shared>sf1 \"<shared>sf1\" '<shared>k.1' <shared>k.1x <id>"

#: Commands, and what they print for the values v (`<id>`) and w (`<arg0>`); "p" prints each argument and a NUL.
CONTEXTS = [
    ("p <id> <arg0>", "{v}\0{w}\0"),
    ("p a<id>b <arg0><id>", "a{v}b\0{w}{v}\0"),
    ("p --x=<id> -y=<id>=<arg0>", "--x={v}\0-y={v}={w}\0"),
    ('p "<id>" "a <id> b<arg0>"', "{v}\0a {v} b{w}\0"),
    ("p '<id>' 'a <id> b<arg0>'", "{v}\0a {v} b{w}\0"),
    ("p $'<id>' $'\\t<id>\\n<arg0>'", "{v}\0\t{v}\n{w}\0"),
    (CHOPPED, None),
    ('p $"<id>"', "{v}\0"),
    ('X=1; p "$X<id>" $X<id> "${X}<id>"; f() { p "$1<id>"; }; f', "1{v}\0" * 3 + "{v}\0"),
    ("p \\$<id> \\\\<id> \"\\$<id>\" '$<id>'", "${v}\0\\{v}\0${v}\0${v}\0"),
    ("p ~<id> ~/<id> {<id>,<arg0>} {a,<id>}{1..2} | tail -c 0", ""),
    ("p ~<id> {<id>} x{<id>}", "~{v}\0{{{v}}}\0x{{{v}}}\0"),
    ("p {<id>,'<arg0>'}", "{v}\0{w}\0"),
    ('x=<id> y=~<id>; p "$x" "$y"', "{v}\0~{v}\0"),
    ('x=( <id> <arg0> <id>=3 ); p "${x[@]}"', "{v}\0{w}\0{v}=3\0"),
    ('( p <id>; { p "<arg0>"; } )', "{v}\0{w}\0"),
    ("x=$(p <id>x | tr '\\0' z; echo y); p \"$x\"", "{v}xzy\0"),
    ('p "$(printf %sx <id>)" "a$(printf %sx "<arg0>")"', "{v}x\0a{w}x\0"),
    (PATTERNS, None),
    ("case <id> in 'no such') p no;; <id>) p yes;; esac", "yes\0"),
    ("case <id> in <id>) p <arg0> ;; esac; p <id>", "{w}\0{v}\0"),
    ('case "x$(case <id> in *) printf y;; esac)" in xy) p "<id>";; esac', "{v}\0"),
    ('for i in <id> <arg0>; do p "$i"; done', "{v}\0{w}\0"),
    ("[[ <id> == <id> && <id> = '<id>' ]] && p <id>", "{v}\0"),
    ("[[ a<id>b =~ ^a<id>b$ ]] && p <id>", "{v}\0"),
    ("[ <id>x = '<id>'x ] && p <id>", "{v}\0"),
    ("cat <<< <id>", "{v}\n"),
    ("cat <<<<id>", "{v}\n"),
    ('cat <<<"a<id>"', "a{v}\n"),
    ("cat <(p <id>) <(p '<arg0>')", "{v}\0{w}\0"),
    ("p <id> # not '<id> here\np <arg0> #", "{v}\0{w}\0"),
    ("p <id>#<arg0>", "{v}#{w}\0"),
    ("p \\\n  <id>\\\n<arg0>", "{v}{w}\0"),
    ("p <id>>out; cat out; p <id>2>>out; cat out", "{v}\0{v}\0{v}2\0"),
    ("p '<id>'>out; cat <out", "{v}\0"),
    ("f() { p \"$@\"; }; f <id> '<arg0>'", "{v}\0{w}\0"),
    ("if p <id>; then p 'a'<id>\"b\"; else p; fi", "{v}\0a{v}b\0"),
    ("f() { p `echo a` ${#Z} $# $((1+(2<<1))) <id>; }; f", "a\0{zero}\0{zero}\0005\0{v}\0"),
    ('p "`echo "a"`" "${Z:-\'}\'} ${Z:-"}"} ${Z#\'}\'}" <id>', "a\0'}}' }} \0{v}\0"),
    ('cat <<E; p <id>\nit\'s $(echo "a)")\\\nE\n\nE\np <arg0>', "it's a)E\n\n{v}\0{w}\0"),
    (DOCUMENTS, None),
    ("p \\<id\\> '\\<id>' \"\\<id>\" \\<id> $'\\<id>'", "<id>\0" * 5),
    (FILES, None),
    ("[[ -n x<id> ]] && ((1<2)) && p $'it\\'s' \"\\\"\" <id>", "it's\0\"\0{v}\0"),
    ("env 'p=<id>' bash -c 'printf \"%s\\0\" \"$p\"'", "{v}\0"),
    ('bash -c \'printf "%s\\0" "$@"\' <id> <id> <arg0>', "{v}\0{w}\0"),
]
SPECIAL: dict[str, Callable[[str, str], str]] = {
    CHOPPED: lambda v, _w: f"\x04{v}\0{v}\0\x0e{v}\0",
    PATTERNS: lambda v, w: f"{v}\0" if v in {"a bc", "a", "case"} else f"{w}.{v}\0",
    DOCUMENTS: lambda v, w: f"b'\n{v}\0{w}\0",
    FILES: lambda v, _w: f"{SHARED['sf1']}\0{SHARED['sf1']}\0{SHARED['k.1']}\0{SHARED['k.1']}x\0{v}\0",
}
PROLOGUE = "p() { local a; for a; do printf '%s\\0' \"$a\"; done; }\n"


def expected(template: str, wanted: str | None, v: str, w: str) -> str:
    return SPECIAL[template](v, w) if wanted is None else wanted.format(v=v, w=w, zero="0")


def run_in_bash(commands: list[str], *, by_eval: bool, locale: str) -> list[bytes]:
    """Run the commands in one bash and return what each of them printed; fail if any value became code."""
    mark = "\n--next command--\n"
    after = f"printf %s '{mark}'\n"
    if by_eval:
        script, args = f'{PROLOGUE}for c; do eval "$c"; {after}done', commands
    else:
        script, args = PROLOGUE + "".join(f"{command}\n{after}" for command in commands), []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", "-c", "--", script, "bash", *args],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": locale, "HOME": "/home"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert {path.name for path in Path(folder).iterdir()} <= {"out"}
    assert done.stderr == b""
    return done.stdout.split(mark.encode())[:-1]


def check_in_bash(v: str, w: str, *, by_eval: bool, locale: str) -> None:
    commands = [render(template, id=v, arg0=w) for template, _ in CONTEXTS]
    printed = run_in_bash(commands, by_eval=by_eval, locale=locale)
    for (template, wanted), command, output in zip(CONTEXTS, commands, printed, strict=True):
        assert output == os.fsencode(expected(template, wanted, v, w)), (template, command)


HOSTILE = [
    "", " ", "~", "~root", "-n", "--", "-", "2", "1,2", "1..3", "a b", "it's", '"', "\\", "a\\", "$(touch canary)",
    "`touch canary`", "; touch canary;", "' ; touch canary; '", '"; touch canary; "', "\n touch canary \n", "\n",
    "\n\n", "a\nE\n", "%s%n", "*", "[a-z]", "?", "a=b", "PATH=", "x[$(touch canary)]", "#", "!", "!!", "if", "time",
    "esac", "in", "[[", "]]", "{a,b}", "{", "}", "&", "|", "<", ">", ")", "(", "$HOME", "${HOME}", "$'\\n'", "<arg0>",
    "<id>", "%(id)s", "\t", "\r", "\x01", "\x7f", "\x7f\x01", "\udcff\udc80", "é\udce2", "日本", "'\\''",
]  # fmt: skip
values = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
    st.text("'\"\\$`(){}<>~!#*?[]=:;&|%, \n\tab1/.-", max_size=30),
    st.binary(max_size=200).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))),
)


@pytest.mark.parametrize("by_eval", [True, False])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@settings(max_examples=30, deadline=None)
@given(v=values, w=values)
def test_bash_gets_exactly_the_values_in_every_context(v: str, w: str, *, by_eval: bool, locale: str) -> None:
    check_in_bash(v, w, by_eval=by_eval, locale=locale)


def test_bash_gets_exactly_each_of_the_hostile_values() -> None:
    for number, value in enumerate(HOSTILE):
        other = HOSTILE[(7 * number + 3) % len(HOSTILE)]
        check_in_bash(value, other, by_eval=number % 2 == 0, locale="C" if number % 4 < 2 else "C.UTF-8")


FRAGMENTS = [
    "<id>", "<id>", "<id>", "<arg0>", '"', "'", "$'", '$"', "$", "$x", "${x:-", "}", "$((", "))", "((", "$[", "[",
    "]", "]=", "$(", '"$(', ')"', ")", "(", "<(", ">(", "`", "\\", "\\\n", "\n", " #", " ", ";", ";;", "&&", "|", "<",
    ">", ">>", ">&", "<<<", "<<E\n", "<<'E'\n", "\nE\n", "echo ", "case ", " in ", "esac", "x) ", "x=", "x=(", "a[",
    "~", "{", ",", "..", "{ ", "; }", "[[ ", " ]]", " -eq ", " == ", "if ", "; then ", "; fi", "f() ", "@(", "2",
    "\\x4",
]  # fmt: skip
BREAKOUTS = [
    "$(touch canary)", "`touch canary`", "\n touch canary \n", "';touch canary;'", '";touch canary;"',
    ")\ntouch canary\n(", "a[$(touch canary)]", "}\ntouch canary\n{", "\nE\ntouch canary\n",
    ";;\ntouch canary;;esac\ntouch canary\n", "\\",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=12).map("".join))
@settings(max_examples=150, deadline=None)
def test_no_value_becomes_code_whatever_the_template(template: str) -> None:
    try:
        commands = [render(template, id=value) for value in BREAKOUTS]
    except PlanError:
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["bash", "-c", 'for c; do (eval "$c"); done; wait', "bash", *commands],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert not Path(folder, "canary").exists(), commands


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
        ('p \\<id> "\\<id>" \\<arg0:raw>', "f", "p '<id>' \"<id>\" '<arg0:raw>'"),
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
        ("echo $((<arg0> + 1))", "<arg0> stands in arithmetic", "expr <arg0> + 1"),
        ("((x = <id>))", "in arithmetic", "expr"),
        ("for ((i=0; i<<id>; i++)); do :; done", "in arithmetic", "expr"),
        ("echo $[<id>]", "in arithmetic", "expr"),
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
        ("(" * 60 + "<id>", "in arithmetic", "( ( … )"),
        ("( " * 60 + "<id>", "more than 50 levels", "script"),
        ("echo <it's>", "with a name that means something to bash", "rename the column"),
    ],
)  # fmt: skip
def test_places_where_no_quoting_helps_are_refused(template: str, complaint: str, advice: str) -> None:
    with pytest.raises(PlanError) as caught:
        Template.command(template, [*HANDLES, "it's"], SHARED)
    assert complaint in caught.value.message
    assert advice in str(caught.value.hint)


def test_a_refusal_points_at_the_place() -> None:
    with pytest.raises(PlanError) as caught:
        Template.command("cd x\n\techo `cat <arg0>` y\n", HANDLES)
    assert str(caught.value).splitlines() == [
        "<arg0> stands in backticks: no quoting makes its value safe there:",
        "     echo `cat <arg0>` y",
        "               ^^^^^^",
        "  write $(…) instead of `…`; <arg0:raw> puts values in as they are, if you trust them",
    ]


def test_words_that_may_be_misspelt_handles_are_named() -> None:
    template = "a <temprature> <ID> <arg5> <id:row> <shard>sf <infile> <b> \\<ids> <id> <shared>sf10 <shared>sf.txt"
    suspects = Template.command(template, HANDLES, SHARED).suspects
    assert suspects == [
        "<temprature> is no handle here and stays as it is; did you mean <temperature>?",
        "<ID> is no handle here and stays as it is; did you mean <id>?",
        "<arg5> is no handle here and stays as it is; did you mean <arg1>?",
        "<id:row> is no handle here and stays as it is; did you mean <id:raw>?",
        "<shard> is no handle here and stays as it is; did you mean <shared>?",
        "<shared>sf10: no shared file has this key, so it is the path of sf1 with a tail",
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
    ("template", "name", "task_id"),
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
        ("fixed", "fixed", None),
        ("<id>_<arg0>", "a_b", None),
    ],
)
def test_names_give_their_id(template: str, name: str, task_id: str | None) -> None:
    assert Template.name(template, HANDLES).match(name) == task_id


names = st.text(st.characters(exclude_characters="<>/\\\0", codec="utf-8"), max_size=12)


@given(before=names, after=names, task_id=values.filter(lambda text: text and "/" not in text))
@settings(deadline=None)
def test_a_rendered_name_matches_its_own_id(before: str, after: str, task_id: str) -> None:
    once = Template.name(f"{before}<id>{after}", HANDLES)
    twice = Template.name(f"{before}<id>/{after}<id:raw>", HANDLES)
    assert once.render({"id": task_id}) == before + task_id + after
    assert once.match(once.render({"id": task_id})) == task_id
    assert twice.match(twice.render({"id": task_id})) == task_id


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
