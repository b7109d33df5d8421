"""Commands with handles through a real bash: what each prints for hostile values, none of which may become code."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from locusts_fab.errors import PlanError
from locusts_fab.shell.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLES = ("id", "arg0", "arg1", "temperature", "my column")
SHARED = {"sf1": "../shared/sf1/a file", "sf": "/s/plain", "k.1": "$(touch canary)"}


def render(template: str, **values: str) -> str:
    """Compile a command and put the same value in for every handle that none is given for."""
    everywhere = values.get("id", "x")
    return Template.command(template, HANDLES, SHARED).render({name: values.get(name, everywhere) for name in HANDLES})


#: Commands whose output is too intricate for a format string: see SPECIAL.
CHOPPED = r"p $'\x4<id>' $'\0<id>' $'\u00e<id>'"
PATTERNS = 'p "$(case <id> in (a\\ bc) p;; a|case) p;; <id>) printf %s. "<arg0>";; esac)<id>"'
DOCUMENTS = "cat <<'E F' - <<-\"G\"; p <id>\n(\\\nE F\n\tb'\n\tG\np '<arg0>'"
NUMBERED = "中1\0中{v}1\0中1\0中{v}1\0中1x\0中1\0中{v}1\0{v}1\0"
MERGED = "中{v}\0x中a{v}\0中a{v}\0中{v}\0"
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
    ('p "中\\"<id>" 中\\ <id> "中\\\\<id>" $\'中\\\\<id>\'', '中"{v}\0中 {v}\0中\\{v}\0中\\{v}\0'),
    ('p "${Z:-中}<id>" "x中`echo "a"`<id>" 中`echo a`<id>; printf %s 中|cat; p "<id>"', MERGED),
    ("p '中1' '中<id>1' \"中1\" \"中<id>1\" 中1'x' $'中1' $'中<id>1'; p '<id>1'", NUMBERED),
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


def run_in_bash(commands: list[str], *, by_eval: bool, variables: dict[str, str]) -> list[bytes]:
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
            env={"PATH": os.environ["PATH"], "HOME": "/home", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert {path.name for path in Path(folder).iterdir()} <= {"out"}
    assert done.stderr == b""
    return done.stdout.split(mark.encode())[:-1]


#: Contexts in which a value is compared as a pattern.
AS_PATTERN = re.compile(r"=~|==|esac")


def check_in_bash(v: str, w: str, *, by_eval: bool, variables: dict[str, str]) -> int:
    """Try a pair of values in every context; return how many commands were run."""
    # as patterns bash does not know broken characters again: nothing of ours
    contexts = [each for each in CONTEXTS if "LOCPATH" not in variables or not AS_PATTERN.search(each[0])]
    commands = [render(template, id=v, arg0=w) for template, _ in contexts]
    printed = run_in_bash(commands, by_eval=by_eval, variables=variables)
    for (template, wanted), command, output in zip(contexts, commands, printed, strict=True):
        assert output == os.fsencode(expected(template, wanted, v, w)), (template, command)
    return len(commands)


HOSTILE = [
    "", " ", "~", "~root", "-n", "--", "-", "2", "1,2", "1..3", "a b", "it's", '"', "\\", "a\\", "$(touch canary)",
    "`touch canary`", "; touch canary;", "' ; touch canary; '", '"; touch canary; "', "\n touch canary \n", "\n",
    "\n\n", "a\nE\n", "%s%n", "*", "[a-z]", "?", "a=b", "PATH=", "x[$(touch canary)]", "#", "!", "!!", "if", "time",
    "esac", "in", "[[", "]]", "{a,b}", "{", "}", "&", "|", "<", ">", ")", "(", "$HOME", "${HOME}", "$'\\n'", "<arg0>",
    "<id>", "%(id)s", "\t", "\r", "\x01", "\x7f", "\x7f\x01", "\udcff\udc80", "é\udce2", "日本", "'\\''",
    "\udcb3", "\udcb3$(touch canary)", "\udcb3`touch canary`", '\udcb3";touch canary;"', "\udcb3';touch canary;'",
    "\udcb3\\", "\udcb3\\$(touch canary)", "\udc81", "\udc810", "\udc810\udc81", "中\udcb3", "中", "中1",
    "\udc811;touch canary;", "\udc81", "0", "1;touch canary;",
]  # fmt: skip
values = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map(
        lambda parts: os.fsdecode(os.fsencode("".join(parts)))  # two of them may hold the halves of a character
    ),
    st.text("'\"\\$`(){}<>~!#*?[]=:;&|%, \n\tab1/.-", max_size=30),
    st.binary(max_size=200).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))),
)


FRAGMENTS = [
    "<id>", "<id>", "<id>", "<arg0>", '"', "'", "$'", '$"', "$", "$x", "${x:-", "}", "$((", "))", "((", "$[", "[",
    "]", "]=", "$(", '"$(', ')"', ")", "(", "<(", ">(", "`", "\\", "\\\n", "\n", " #", " ", ";", ";;", "&&", "|", "<",
    ">", ">>", ">&", "<<<", "<<E\n", "<<'E'\n", "\nE\n", "echo ", "case ", " in ", "esac", "x) ", "x=", "x=(", "a[",
    "~", "{", ",", "..", "{ ", "; }", "[[ ", " ]]", " -eq ", " == ", "if ", "; then ", "; fi", "f() ", "@(", "2",
    "\\x4", "中", "é", "(x; ",
]  # fmt: skip
BREAKOUTS = [
    "$(touch canary)", "`touch canary`", "\n touch canary \n", "';touch canary;'", '";touch canary;"',
    ")\ntouch canary\n(", "a[$(touch canary)]", "}\ntouch canary\n{", "\nE\ntouch canary\n",
    ";;\ntouch canary;;esac\ntouch canary\n", "\\",
    "\udcb3$(touch canary)", "\udcb3\\$(touch canary)", "\udcb3\"\ntouch canary\n\udcb3'\ntouch canary\n",
]  # fmt: skip
templates = st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=12).map("".join)


def check_template(template: str, *, variables: dict[str, str]) -> int:
    """Try values that would break out of a template, if it is one; return how many commands were run."""
    try:
        commands = [render(template, id=value) for value in BREAKOUTS]
    except PlanError:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["bash", "-c", 'for c; do (eval "$c"); done; wait', "bash", *commands],
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert not Path(folder, "canary").exists(), commands
    return len(commands)
