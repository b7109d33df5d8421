"""The bash that we ship: well formed, quoted, nothing newer than bash 4.2, and pleasant to read.

The golden files show what the templates make of some values; after a change of a template, look at what it did to them:

    UPDATE_GOLDEN=1 python -m pytest tests/bash/test_scripts.py && git diff tests/bash/golden
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest

from locusts_fab.manager.render import environment, render
from locusts_fab.schedulers.registry import SCHEDULERS
from locusts_fab.shell.quoting import quote_word
from locusts_fab.shell.scripts import remote_script, templates_folder
from tests.support.managers import VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden"
LIBRARIES = sorted((templates_folder() / "manager").glob("*.sh"))
#: What start.sh and the job script take in.
STARTING = sorted((templates_folder() / "start").glob("*.sh"))
REMOTE = sorted((templates_folder() / "remote").glob("*.sh"))
#: What several of them take in.
SHARED = sorted((templates_folder() / "remote/lib").glob("*.sh"))
#: The templates of scripts; a page is escaped in another way, and tested elsewhere.
TEMPLATES = sorted(path.name for path in templates_folder().glob("*.j2") if path.read_text().startswith("#!"))

HOSTILE = "/tmp/a b'c\"d\n$(touch x)`touch y`;touch z&\\ -é\t*"
MANAGERS: dict[str, dict[str, Any]] = {
    "plain": {**VALUES, "root": "/scratch/me/locusts/pairs", "slots": 16, "last_chunk": 812, "has_inputs": 1},
    "full": {
        **VALUES,
        "root": "/scratch/me/locusts/grid",
        "submission": 3,
        "first_chunk": 813,
        "last_chunk": 900,
        "slots": 4,
        "program": "python3",
        "retries": 2,
        "tree": "",
        "timeout_us": 600_000_000,
        "timeout_text": "600 s",
        "last_call_s": 90,
        "keep": "all",
        "breaker": 20,
        "grace_s": 5,
        "scratch": ["$TMPDIR", "/tmp"],
        "pack": 1,
        "pin": 1,
        "gpus": 8,
        "gpus_per_task": 2,
        "has_patterns": 1,
        "final_chunk": 901,
        "container": ["apptainer", "exec", "--nv", "/data/my tools.sif"],
        "env": [("GREETING", "it's me"), ("OMP_NUM_THREADS", "1")],
    },
    "hostile": {
        **VALUES,
        "root": HOSTILE,
        "program": HOSTILE,
        "scratch": [HOSTILE],
        "container": [HOSTILE, "", "--"],
        "env": [("A", HOSTILE), ("B", ""), ("C", "-n")],
    },
}
STARTS: dict[str, dict[str, Any]] = {
    "plain": {
        "setup": [],
        "manager": "/scratch/me/locusts/pairs/exec/manager.sh",
        "logs": "/scratch/me/locusts/pairs/exec/logs",
    },
    "setup": {
        "setup": ["module load openmpi", "export TOOLS=~/tools\nif [[ ! -d $TOOLS ]]; then\n  exit 3\nfi"],
        "manager": "/scratch/me/it's/exec/manager.sh",
        "logs": "/scratch/me/it's/exec/logs",
    },
    "hostile": {"setup": [HOSTILE], "manager": HOSTILE, "logs": HOSTILE},
}
JOBS: dict[str, dict[str, Any]] = {
    "plain": {**STARTS["plain"], "cpus": 16, "warning_s": 120, "directives": []},
    "setup": {
        **STARTS["setup"],
        "cpus": 64,
        "warning_s": 300,
        "directives": ["--partition=short", "--time=04:00:00", "--hint=nomultithread"],
    },
    "hostile": {
        **STARTS["hostile"],
        "cpus": 1,
        "warning_s": 60,
        "directives": [f"--comment={HOSTILE}"],
    },
}
JOBS["hostile"]["directives"] = [JOBS["hostile"]["directives"][0].replace("\n", " ")]  # newlines are refused before
CASES = {"manager.sh.j2": MANAGERS, "start.sh.j2": STARTS, "job.sbatch.j2": JOBS}
RENDERED = [(template, name) for template, cases in CASES.items() for name in cases]

#: What shellcheck says of values such as '$TMPDIR' or '$(…)': they do not expand in '…'. That is the point. And of a
#: quote in a value that is quoted twice: that it may be meant otherwise.
DATA_LOOKS_LIKE_CODE = "SC2016,SC1003"
#: What it says of a library by itself, because the other libraries and the header are not in sight:
#: a variable that is used is assigned elsewhere (and is no misspelling of a similar one), one that is assigned is used
#: elsewhere.
OTHER_FILES = "SC2154,SC2153,SC2034"


def rendered(template: str, name: str) -> str:
    return render(template, CASES[template][name])


def tool(name: str) -> str:
    """Find a tool that the `dev` extra installs beside Python."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"{name} is missing: pip install -e '.[dev]'"
    return found


def check(*command: str, script: str | bytes) -> None:
    data = os.fsencode(script)
    result = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert result.returncode == 0, result.stdout.decode("utf-8", "replace")
    assert result.stdout == b""


SOURCES = {f"{path.parent.name}/{path.name}": path.read_text() for path in (*LIBRARIES, *STARTING)}
SOURCES.update({name: (templates_folder() / name).read_text() for name in TEMPLATES})
SOURCES.update({f"remote/{path.name}": remote_script(path.stem) for path in REMOTE})


def test_nothing_is_overlooked() -> None:
    assert set(CASES) == set(TEMPLATES)
    assert {
        "claims.sh",
        "clock.sh",
        "environment.sh",
        "main.sh",
        "records.sh",
        "sandbox.sh",
        "slot.sh",
        "task.sh",
    } <= {path.name for path in LIBRARIES}
    assert {"poll", "probe", "mark_gone", "read_plan", "slurm_start"} <= {path.stem for path in REMOTE}
    folders = (templates_folder() / name for name in ("manager", "remote", "remote/lib"))
    assert all(path.suffix == ".sh" or path.name == "lib" for folder in folders for path in folder.iterdir())
    whole = "".join(remote_script(path.stem) for path in REMOTE)
    assert all(path.read_text() in whole for path in SHARED)
    assert "/lib/" not in whole


# ---- well formed ----


@pytest.mark.parametrize(("template", "name"), RENDERED)
def test_rendered_scripts_are_well_formed(template: str, name: str) -> None:
    script = rendered(template, name)
    check("bash", "-n", script=script)
    check(tool("shfmt"), "-i", "2", "-ci", "-d", script=script)
    excluded = [] if name == "plain" else [f"--exclude={DATA_LOOKS_LIKE_CODE}"]
    check(tool("shellcheck"), *excluded, "-", script=script)


@pytest.mark.parametrize("path", [*LIBRARIES, *STARTING], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_libraries_are_well_formed_by_themselves(path: Path) -> None:
    script = path.read_text()
    check("bash", "-n", script=script)
    check(tool("shfmt"), "-i", "2", "-ci", "-d", script=script)
    check(tool("shellcheck"), "--shell=bash", f"--exclude={OTHER_FILES}", "-", script=script)


@pytest.mark.parametrize("path", REMOTE, ids=lambda path: str(path.name))
def test_remote_scripts_are_well_formed(path: Path) -> None:
    script = remote_script(path.stem)
    check("bash", "-n", script=script)
    check(tool("shfmt"), "-i", "2", "-ci", "-d", script=script)
    check(tool("shellcheck"), "-", script=script)


# ---- values are data ----


@pytest.mark.parametrize("name", ["full", "hostile"])
def test_values_arrive_as_they_are(name: str, tmp_path: Path) -> None:
    """Let the script tell what it was told, instead of running it."""
    values = MANAGERS[name]
    header = rendered("manager.sh.j2", name).rpartition('main "$@"')[0]
    names = '"$ROOT" "$PROGRAM" "$KEEP" "$SLOTS" "$TIMEOUT_US" "${SCRATCHES[@]}" "${CONTAINER[@]}" "${TASK_ENV[@]}"'
    tell = rf"printf '%s\0' {names}"
    (tmp_path / "told.sh").write_text(f"{header}\n{tell}")  # it is more than a command line may hold
    result = subprocess.run(["bash", "told.sh"], cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "told.sh").unlink()
    told = [values[key] for key in ("root", "program", "keep", "slots", "timeout_us")]
    expected = [
        *map(str, told),
        *values["scratch"],
        *values["container"],
        *(f"{variable}={quote_word(value)}" for variable, value in values["env"]),
    ]
    assert result.stdout.split("\0")[:-1] == expected
    assert list(tmp_path.iterdir()) == []


def test_numbers_cannot_be_code() -> None:
    header = render("manager.sh.j2", {**MANAGERS["plain"], "slots": "1; touch x", "breaker": "$(touch x)"})
    assert "touch" not in header


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="root"):
        render("manager.sh.j2", {key: value for key, value in MANAGERS["plain"].items() if key != "root"})


#: Outputs that are not quoted, each with the reason.
UNQUOTED = {
    ("job.sbatch.j2", "directive"): "stands in a comment, which SLURM reads; it holds no newline",
}


def outputs(template: str) -> Iterator[tuple[jinja2.nodes.Expr, str]]:
    """Walk over what a template puts into a script: each expression, and the name of its last filter."""
    source = (templates_folder() / template).read_text()
    for output in environment().parse(source).find_all(jinja2.nodes.Output):
        for node in output.nodes:
            if not isinstance(node, jinja2.nodes.TemplateData):
                yield node, node.name if isinstance(node, jinja2.nodes.Filter) else ""


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_output_is_quoted_or_a_number(template: str) -> None:
    unquoted = {
        (template, node.name if isinstance(node, jinja2.nodes.Name) else repr(node))
        for node, last_filter in outputs(template)
        if last_filter not in {"q", "int"}
    }
    assert unquoted == {key for key in UNQUOTED if key[0] == template}


def test_outputs_are_found() -> None:
    assert len(list(outputs("manager.sh.j2"))) >= len(VALUES)


@pytest.mark.parametrize("path", [*LIBRARIES, *STARTING], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_libraries_are_plain_bash(path: Path) -> None:
    """Nothing in them means anything to Jinja, so that what is read here is what runs there."""
    source = path.read_text()
    assert re.findall(r"\{\{|\{%|<#", source) == []
    assert environment().from_string(source).render() == source


# ---- nothing newer than bash 4.2 ----

#: Features by what they look like, with the version that brought them, and a sample of each.
TOO_NEW = {
    "wait -n, -p, -f (4.3 and later)": (r"\bwait\s+-[a-z]", "wait -n"),
    "mapfile -d, readarray -d (4.4)": (r"\b(mapfile|readarray)\b.*\s-[a-z]*d", "mapfile -t -d '' lines"),
    "${v@Q} and its like (4.4)": (r"\$\{!?\w+(\[[^]]*\])?@[A-Za-z]\}", "${words[@]@Q}"),
    "name references (4.3)": (r"\b(declare|local|typeset)\s+(-\w+\s+)*-\w*n", "local -n there=$1"),
    "test -v of an element (4.3)": (r"-v\s+[\"']?\w+\[", "[[ -v seen[$1] ]]"),
    "assignment to a negative index (4.3)": (r"\w\[-\d+\]\+?=|unset\s.*\[-\d", "unset 'words[-1]'"),
    "printf %(…)T without a time (4.3)": (r"%\([^)]*\)T'?\"?\s*$", "printf '%(%s)T'"),
    "EPOCHREALTIME and other new variables (5.0)": (
        r"\b(EPOCHREALTIME|EPOCHSECONDS|SRANDOM|BASH_ARGV0)\b",
        "now=$EPOCHSECONDS",
    ),
    "inherit_errexit, localvar_inherit (4.4)": (
        r"\b(inherit_errexit|localvar_(inherit|unset)|assoc_expand_once)\b",
        "shopt -s inherit_errexit",
    ),
    "local - (4.4)": (r"\blocal\s+-(\s|$)", "local -"),
    "${ command; } without a subshell (5.3)": (r"\$\{[\s|]", "now=${ date; }"),
}
#: What may look new, each with the reason.
GUARDED = {
    "${EPOCHREALTIME:-$((EPOCH + SECONDS))}": "whole seconds where it is not there",
    "((BASH_VERSINFO[0] >= 5)) || unset -v EPOCHREALTIME": "where it is not there",
}


def code_lines(source: str) -> list[str]:
    """Take the lines that are not comments."""
    return [line.strip() for line in source.splitlines() if not line.lstrip().startswith("#")]


@pytest.mark.parametrize("feature", TOO_NEW)
@pytest.mark.parametrize("source", SOURCES)
def test_nothing_is_newer_than_bash_4_2(source: str, feature: str) -> None:
    pattern = TOO_NEW[feature][0]
    text = "\n".join(code_lines(SOURCES[source]))
    for guarded in GUARDED:
        text = text.replace(guarded, "")
    assert [line for line in text.splitlines() if re.search(pattern, line)] == []


@pytest.mark.parametrize("feature", TOO_NEW)
def test_what_is_too_new_is_recognised(feature: str) -> None:
    pattern, sample = TOO_NEW[feature]
    assert re.search(pattern, sample)


#: Arrays that are expanded without `${name[@]+…}`, which bash 4.2 and 4.3 need under `set -u` if they may be empty,
#: and without a look at their length.
NEVER_EMPTY = {
    ("manager/sandbox.sh", "names"): "there is a name for each task, and it is called with at least one",
    ("manager/sandbox.sh", "unwanted"): "taken in slices, none of which is empty",
    ("manager/outputs.sh", "MATCHES"): "looked at before",
    ("manager/slot.sh", "tasks"): "a slice of the tasks of a chunk that has some",
    ("manager/task.sh", "SHELL_WORDS"): "holds at least a bash",
    ("manager/given.sh", "THREAD_VARIABLES"): "a list of ours",
    ("manager/gpus.sh", "GPU_VARIABLES"): "a list of ours",
    ("manager/gpus.sh", "CUDA_GPUS"): "looked at before",
    ("manager/pin.sh", "CPUS"): "looked at before",
    ("manager/pack.sh", "STAYS"): "looked at before; or in a slice, where what guards is not seen",
    ("manager/history.sh", "files"): "a pattern that fits nothing stands for itself",
    ("manager/cpus.sh", "PARTS"): "split always finds one",
    ("manager/outputs.sh", "PARTS"): "split always finds one",
    ("manager/records.sh", "PARTS"): "split always finds one",
    ("manager/gpus.sh", "PARTS"): "split always finds one",
    ("manager/setup.sh", "PARTS"): "split always finds one",
    ("manager/task.sh", "PARTS"): "a slice beyond the end is nothing in any bash",
    ("manager/environment.sh", "STRICTLY"): "holds at least an option",
    ("manager/environment.sh", "begin"): "holds at least a bash",
    ("manager/environment.sh", "HIDDEN"): "looked at before",
}


def test_arrays_that_may_be_empty_are_guarded() -> None:
    guarded = re.compile(r'\$\{(\w+)\[@\]\+[^"}]*"\$\{\1\[@\]\}"\}')
    bare_word = re.compile(r'"\$\{(\w+)\[[@*]\][^}]*\}')
    bare = {
        (source, name)
        for source, text in SOURCES.items()
        for name in bare_word.findall(guarded.sub("", "\n".join(code_lines(text))))
        if f"((${{#{name}[@]}} > 0))" not in text
    }
    assert bare == set(NEVER_EMPTY)


def test_replacements_hold_no_variables() -> None:
    """In bash 5.2, a `&` in the value of `${v/pattern/$value}` stands for what was found; quotes differ before 4.3."""
    pattern = re.compile(r"\$\{[\w@*]+(\[[^]]*\])?/[^}]*/[^}]*\$")
    assert [line for text in SOURCES.values() for line in code_lines(text) if pattern.search(line)] == []


#: Here-documents and here-strings, each with the reason.
HERE_DOCUMENTS: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize("source", SOURCES)
def test_no_here_documents(source: str) -> None:
    """Bash writes a file in TMPDIR for one, if it is long or the bash is older than 5.1; on a full disk it is empty."""
    found = {(source, line) for line in code_lines(SOURCES[source]) if "<<" in line}
    assert found == {key for key in HERE_DOCUMENTS if key[0] == source}


# ---- golden files ----


def golden_texts() -> dict[str, str]:
    """Make what the golden files hold: the scripts, but of a library only its name."""
    texts = {}
    for template, name in RENDERED:
        text = rendered(template, name)
        for path in (*LIBRARIES, *SHARED):
            name_there = path.relative_to(templates_folder())
            text = text.replace(path.read_text(), f"# …the whole of templates/{name_there}…\n")
        kind, _, ending = template.removesuffix(".j2").partition(".")
        texts[f"{kind}.{name}.{ending}"] = text
    return texts


@pytest.mark.parametrize("name", golden_texts())
def test_rendered_scripts_are_as_before(name: str) -> None:
    path, text = GOLDEN / name, golden_texts()[name]
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), "if that is meant: UPDATE_GOLDEN=1 python -m pytest tests/bash/test_scripts.py"


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(golden_texts())


#: The parts that a manager has only where a setting says so.
ONLY_WITH = {
    "outputs": "HAS_PATTERNS",
    "pack": "PACK",
    "gpus": "GPUS_PER_TASK",
    "pin": "PIN",
    "final": "FINAL_CHUNK",
    "unpack": "FINAL_CHUNK",
}


def test_the_libraries_go_into_the_script_as_they_are() -> None:
    parts = {scheduler.manager_part for scheduler in SCHEDULERS.values()}
    for part in parts:
        others = parts - {part}
        script = render("manager.sh.j2", {**MANAGERS["full"], "scheduler": part})
        assert {path.stem for path in LIBRARIES if path.read_text() not in script} == others
        script = render("manager.sh.j2", {**MANAGERS["hostile"], "scheduler": part})
        assert {path.stem for path in LIBRARIES if path.read_text() not in script} == others | set(ONLY_WITH)


@pytest.mark.parametrize("part", ONLY_WITH)
def test_what_a_manager_may_lack_is_called_only_where_it_is_there(part: str) -> None:
    """A line that calls one of its functions, or one of the three before, asks for the setting that brings it."""
    text = {path.stem: path.read_text() for path in LIBRARIES}
    names = re.findall(r"^(\w+)\(\) [{(]$", text[part], re.MULTILINE)
    calls = re.compile(rf"(?<![\w$-])({'|'.join(names)})\b(?!\()")
    as_one = {name for name, setting in ONLY_WITH.items() if setting == ONLY_WITH[part]}
    for other in text.keys() - as_one:
        lines = [line.split(" # ")[0] for line in code_lines(text[other])]
        for number, line in enumerate(lines):
            if calls.search(line):
                assert re.search(rf"\b{ONLY_WITH[part]}\b", " ".join(lines[max(0, number - 3) : number + 1])), line
