"""Which module may use which: imports go downward only, and what is slow to load is loaded late."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import locusts_fab

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "locusts_fab"

#: The one list of layers, the highest first: it stands in the docs, and the test reads it there.
DESIGN = REPOSITORY / "docs" / "design.md"


def layers() -> list[list[str]]:
    """Return the packages and modules of each layer: the first code block under the heading in docs/design.md."""
    section = DESIGN.read_text(encoding="utf-8").partition("\n## The layers\n")[2]
    lines = section.split("```")[1].split("\n")[1:]
    return [line.partition("  ")[0].split() for line in lines if line.strip()]


LAYERS = layers()
LAYER = {name: -number for number, names in enumerate(LAYERS) for name in names}

#: Which modules may import what is not in the standard library.
USERS = {
    "fabric": {"hosts"},
    "paramiko": {"hosts"},
    "jinja2": {"manager.render"},
    "pydantic": {"config"},
    "tomli": {"config.load"},
    "rich": {"ui", "cli"},
    "invoke": {"cli.collection"},
    "click": {"cli.program"},
}


def module_names() -> list[str]:
    """Return our modules, dotted, without the package's own name; a package's `__init__` bears the package's name."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found.append(".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts))
    return sorted(found)


MODULES = module_names()


def file_of(module: str) -> Path:
    """Return the file of a module or package."""
    path = PACKAGE / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def imports(module: str, *, with_types: bool = True) -> tuple[set[str], set[str]]:
    """Return what a module imports, at once or late: modules of ours, and packages of others.

    :param with_types: also what stands under `if TYPE_CHECKING`.
    """
    names: set[str] = set()
    for statement in statements(ast.parse(file_of(module).read_text(encoding="utf-8")), with_types=with_types):
        if isinstance(statement, ast.ImportFrom):
            assert not statement.level, f"{module}: write the whole name"
            whole = [f"{statement.module}.{alias.name}" for alias in statement.names]
            names.update(
                name if name.removeprefix("locusts_fab.") in MODULES else str(statement.module) for name in whole
            )
        elif isinstance(statement, ast.Import):
            names.update(alias.name for alias in statement.names)
    ours = {name.removeprefix("locusts_fab.") for name in names if name.partition(".")[0] == "locusts_fab"}
    return ours, {name.split(".")[0] for name in names if name.partition(".")[0] != "locusts_fab"}


def statements(node: ast.AST, *, with_types: bool) -> Iterator[ast.stmt]:
    """Yield every statement below a node."""
    for child in ast.iter_child_nodes(node):
        is_for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if is_for_types and not with_types:
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from statements(child, with_types=with_types)


def layer_of(module: str) -> int:
    """Return how high a module stands; the package itself is `__init__`."""
    return LAYER["__init__" if module == "locusts_fab" else module.split(".", maxsplit=1)[0]]


def test_every_package_and_module_has_its_layer() -> None:
    assert sorted(LAYER) == sorted({module.split(".")[0] for module in MODULES})
    assert sum(map(len, LAYERS)) == len(LAYER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward_only(module: str) -> None:
    own = module.split(".", maxsplit=1)[0]
    others = {other for other in imports(module)[0] if other.split(".")[0] != own}
    assert {other for other in others if layer_of(other) >= layer_of(module)} == set()


def test_there_is_no_circle() -> None:
    waiting = {module: imports(module)[0] - {"locusts_fab"} for module in MODULES}
    while free := {module for module, needs in waiting.items() if not needs & waiting.keys()}:
        waiting = {module: needs for module, needs in waiting.items() if module not in free}
    assert waiting == {}


@pytest.mark.parametrize("module", MODULES)
def test_each_package_of_others_has_few_users(module: str) -> None:
    foreign = imports(module, with_types=False)[1] - sys.stdlib_module_names
    names = {module, module.split(".", maxsplit=1)[0]}
    assert {package for package in foreign if not names & USERS.get(package, set())} == set()


def test_the_package_itself_loads_no_module_of_ours() -> None:
    """Every import of a module runs it first; a public name is loaded when it is asked for."""
    assert imports("__init__", with_types=False)[0] == set()


@pytest.mark.parametrize("package", [module for module in MODULES if (PACKAGE / module.replace(".", "/")).is_dir()])
def test_a_package_of_ours_holds_a_docstring_only(package: str) -> None:
    """So that to import one module of it loads no other."""
    tree = ast.parse(file_of(package).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_no_package_is_crowded() -> None:
    count = Counter(path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    most = {folder: 15 if folder.parts else 12 for folder in count}
    assert {str(folder): files for folder, files in count.items() if files > most[folder]} == {}


def test_no_package_bears_the_name_of_a_public_function() -> None:
    """It would hide the function as soon as a module of it is imported."""
    packages = {module for module in MODULES if (PACKAGE / module.replace(".", "/")).is_dir()}
    assert packages & set(locusts_fab.__all__) == set()


@pytest.mark.parametrize("module", [module for module in MODULES if module != "__init__"])
def test_no_module_is_imported_by_a_name_that_is_put_together(module: str) -> None:
    assert "import_module" not in file_of(module).read_text(encoding="utf-8")


@pytest.mark.parametrize("module", MODULES)
def test_text_for_bash_is_quoted_by_our_own_functions(module: str) -> None:
    """Those of `shlex` do not hold where half of a character swallows the quote that follows."""
    assert not re.search(r"shlex\.(quote|join)|from shlex import", file_of(module).read_text(encoding="utf-8"))


LOADED = "; print(*sorted({name.split('.')[0] for name in sys.modules}), *sorted(sys.modules))"


@pytest.mark.parametrize("code", ["import locusts_fab", "import locusts_fab; locusts_fab.collection"])
def test_to_list_the_commands_loads_nothing_heavy(code: str) -> None:
    command = [sys.executable, "-c", f"import sys; {code}{LOADED}"]
    shown = subprocess.run(command, cwd=REPOSITORY, check=True, timeout=60, stdout=subprocess.PIPE).stdout
    loaded = set(shown.decode().split())
    assert "locusts_fab" in loaded
    assert loaded & {"fabric", "paramiko", "jinja2", "rich", "pydantic", "tomli", "sqlite3", "click"} == set()
    ours = {name.partition(".")[2] for name in loaded if name.startswith("locusts_fab.")}
    commands = {module for module in MODULES if module.startswith("cli.commands")}
    assert ours <= {"early", "errors", "text", "cli", "cli.collection", "cli.command", "cli.registry", *commands}
