"""The house: which room may use which. Imports go downward only, and what is slow to load is loaded late."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "locusts_fab"

#: The rooms, the highest first. A room imports only from levels below its own, never from beside or above.
LEVELS = (
    # what a person starts
    "__main__ __init__",
    "cli.program",
    "cli.commands",
    "cli.messages",
    # the original's ways
    "legacy.convert",
    "legacy.launch",
    # what can be done with a swarm
    "operations.collect operations.check",
    "operations.submit operations.watching",
    "operations.session replica.sync",
    # what is asked of a target beforehand, and what the answers mean
    "preflight.probe schedulers.slurm.preflight preflight.space",
    "preflight.machine",
    # where it runs: how cli.commands travel, how transfer.base travel, who starts managers
    "target",
    "transfer.base",
    "results.collect",
    "results.place",
    "transfer.tarball",
    "transfer.stage",
    # what the config.load means
    "plan.tasks replica.manifest",
    "plan.sources",
    "shell.template",
    "shell.lexer",
    "shell.cursor",
    # the parts of a target, what is known of a swarm, and what people see of it
    "hosts.ssh schedulers.slurm.launcher replica.treefile",
    "hosts.link hosts.channel hosts.connection hosts.auth schedulers.detached state.poll progress",
    "config.reference",
    "schedulers.slurm.partitions legacy.parfile",
    "state.ledger ui.tables config.load",
    "state.schema schedulers.slurm.jobs config.schema hosts.known_hosts",
    # nouns, names and rules; they do nothing by themselves
    "shell.quoting manager.records layout hosts.base state.lock hosts.untar manager.render",
    "hosts.rsync replica.walk",
    "config.types replica.patterns hosts.fake_ssh text",
    "model errors tsv",
)
LEVEL = {room: -number for number, line in enumerate(LEVELS) for room in line.split()}

#: Who may import what is not in the standard library.
VISITORS = {
    "fabric": {"hosts.link", "hosts.auth", "hosts.channel", "hosts.ssh", "hosts.connection", "hosts.known_hosts"},
    "paramiko": {"hosts.link", "hosts.auth", "hosts.channel", "hosts.ssh", "hosts.connection", "hosts.known_hosts"},
    "jinja2": {"manager.render"},
    "pydantic": {"config.load", "config.schema", "config.types", "config.reference"},
    "tomli": {"config.load"},
    "rich": {"progress", "ui.tables", "cli.commands"},
    "invoke": {"cli.program", "cli.commands"},
}


def room_names() -> list[str]:
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
    return sorted(".".join(path.parts) for path in paths if path.name != "__init__" or path.parent == Path())


def file_of(room: str) -> Path:
    return PACKAGE / f"{room.replace('.', '/')}.py"


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Give every statement below a node that runs at some time: not what stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from statements(child)


def imports(room: str) -> tuple[set[str], set[str]]:
    """List what a room imports, at once or late: other rooms, and packages of others."""
    modules: set[str] = set()
    for statement in statements(ast.parse(file_of(room).read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom):
            assert not statement.level, f"{room}: write the whole name"
            name = str(statement.module)
            inner = [f"{name}.{alias.name}" for alias in statement.names]
            is_package = name.startswith("locusts_fab") and not file_of(name.removeprefix("locusts_fab.")).exists()
            modules.update(inner if is_package else [name])
        elif isinstance(statement, ast.Import):
            modules.update(alias.name for alias in statement.names)
    ours = {name.removeprefix("locusts_fab.") for name in modules if name.startswith("locusts_fab.")}
    return ours, {name.split(".")[0] for name in modules if not name.startswith("locusts_fab.")}


def test_every_room_has_its_level() -> None:
    assert sorted(LEVEL) == room_names()
    assert sum(len(line.split()) for line in LEVELS) == len(LEVEL)


@pytest.mark.parametrize("room", room_names())
def test_imports_go_downward_only(room: str) -> None:
    rooms, packages = imports(room)
    assert "locusts_fab" not in packages  # or it could not be said which room is meant
    assert {other for other in rooms if LEVEL[other] >= LEVEL[room]} == set()


@pytest.mark.parametrize("room", ["model", "errors", "hosts.fake_ssh"])
def test_the_lowest_rooms_import_nothing_of_ours(room: str) -> None:
    assert imports(room)[0] == set()


@pytest.mark.parametrize("room", room_names())
def test_each_package_of_others_has_few_users(room: str) -> None:
    _, packages = imports(room)
    foreign = packages - sys.stdlib_module_names
    assert {package for package in foreign if room not in VISITORS.get(package, set())} == set()


def test_the_package_itself_loads_only_errors() -> None:
    """Every import of a room runs it first; the rest it loads when it is asked for."""
    assert imports("__init__")[0] == {"errors"}


@pytest.mark.parametrize("room", [room for room in room_names() if room != "__init__"])
def test_no_room_is_imported_by_a_name_that_is_put_together(room: str) -> None:
    assert "import_module" not in file_of(room).read_text(encoding="utf-8")


LOADED = "; print(*sorted({name.split('.')[0] for name in sys.modules}), *sorted(sys.modules))"


@pytest.mark.parametrize("code", ["import locusts_fab", "import locusts_fab; locusts_fab.collection"])
def test_to_list_the_commands_loads_nothing_heavy(code: str) -> None:
    command = [sys.executable, "-c", f"import sys; {code}{LOADED}"]
    shown = subprocess.run(command, cwd=REPOSITORY, check=True, timeout=60, stdout=subprocess.PIPE).stdout
    loaded = set(shown.decode().split())
    assert "locusts_fab" in loaded
    assert loaded & {"fabric", "paramiko", "jinja2", "rich", "pydantic", "tomli", "sqlite3"} == set()
    ours = {name.partition(".")[2] for name in loaded if name.startswith("locusts_fab.")}
    assert ours <= {"cli", "errors", "cli.commands"}
