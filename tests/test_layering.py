"""The architecture, read from the imports: who may import whom, and who may touch the world outside.

Each rule is a function from parsed modules to sentences about what breaks it. Each is also tried on a small tree that
does break it, so that a rule that finds nothing has been seen to find something.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first; a module may import from its own floor and from those below.
FLOORS = (
    ("quicmini.errors", "quicmini.config", "quicmini.loading"),
    ("quicmini.wire",),
    ("quicmini.crypto",),
    ("quicmini.tls",),
    ("quicmini.recovery",),
    ("quicmini.streams",),
    ("quicmini.connection",),
    ("quicmini.sync",),
    ("quicmini.observe",),
    ("quicmini",),  # the public names
    ("quicmini.study", "quicmini.__main__"),
    ("chat",),
    ("tests",),
)
PACKAGES = ("quicmini", "chat", "tests")
HEIGHT = {package: height for height, packages in enumerate(FLOORS) for package in packages}

# What stands between the connections and the world: the sockets, and the bad network that one studies them on.
WORLDLY = ("quicmini.sync", "quicmini.study.link")
OUTSIDE_WORLD = {"_thread", "asyncio", "random", "secrets", "select", "selectors", "socket", "threading", "time"}
OUTSIDE_NAMES = {
    "os": {"urandom", "getrandom"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60


class Module(NamedTuple):
    name: str  # dotted; a package has the name of its directory
    is_package: bool
    source: str
    tree: ast.Module

    def within(self, package: str) -> bool:
        return self.name == package or self.name.startswith(package + ".")


Modules = dict[str, Module]


def load(root: Path) -> Modules:
    """Every module of the two packages and of their tests, by dotted name."""
    modules = {}
    for path in sorted(path for package in PACKAGES for path in root.glob(f"{package}/**/*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        source = path.read_text(encoding="utf-8")
        modules[name] = Module(name, is_package, source, ast.parse(source))
    return modules


def imports(module: Module, known: Modules) -> Iterator[tuple[str, int]]:
    """Whatever the module imports, under TYPE_CHECKING and inside functions too, with the line."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.name.split(".")
                package = parts[: len(parts) - node.level + module.is_package]
                base = ".".join([*package, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield (submodule if submodule in known else base), node.lineno


def height_of(name: str) -> int:
    """The floor of a module: that of the longest package name that leads to it."""
    while name not in HEIGHT:
        name = name.rpartition(".")[0]
    return HEIGHT[name]


def upward_arrows(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for target, line in imports(module, modules):
            if target.split(".")[0] in PACKAGES and height_of(target) > height_of(module.name):
                yield f"{module.name}:{line} imports {target}, which is above it"


def ground_floor(modules: Modules) -> Iterator[str]:
    """Errors and settings stand on nothing, not even on each other."""
    for name in FLOORS[0]:
        for target, line in imports(modules[name], modules) if name in modules else ():
            if target.startswith("quicmini"):
                yield f"{name}:{line} imports {target}"


def unknown_packages(modules: Modules) -> Iterator[str]:
    for name in modules:
        if name.count(".") == 1 and name.startswith("quicmini.") and name not in HEIGHT:
            yield f"{name} is on no floor"


def cycles(modules: Modules) -> Iterator[str]:
    graph = {
        module.name: {target for target, _ in imports(module, modules) if target in modules}
        for module in modules.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1][:0:-1]  # the last repeats the first; against the arrows
        start = cycle.index(min(cycle))
        yield "a cycle: " + " -> ".join([*cycle[start:], *cycle[: start + 1]])


def outside_world(modules: Modules) -> Iterator[str]:
    """Sockets, threads, clocks and randomness: for few of `quicmini` (and for the application, and tests)."""
    for module in modules.values():
        if not module.within("quicmini") or any(module.within(package) for package in WORLDLY):
            continue
        for target, line in imports(module, modules):
            if target.split(".")[0] in OUTSIDE_WORLD:
                yield f"{module.name}:{line} imports {target}"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module in OUTSIDE_NAMES:
                wrong = OUTSIDE_NAMES[node.module] & {alias.name for alias in node.names}
                yield from (f"{module.name}:{node.lineno} imports {node.module}.{name}" for name in sorted(wrong))
            elif isinstance(node, ast.Attribute):
                owner = ast.unparse(node.value).rpartition(".")[2]
                if node.attr in OUTSIDE_NAMES.get(owner, ()):
                    yield f"{module.name}:{node.lineno} uses {owner}.{node.attr}"


def foreign_tls(modules: Modules) -> Iterator[str]:
    """TLS is this project's own: of `ssl`, one module asks where the system keeps its trust store.

    Tests may have it as a peer.
    """
    for module in modules.values():
        if module.within("tests"):
            continue
        if module.name != "quicmini.tls.certificates":
            for target, line in imports(module, modules):
                if target == "ssl":
                    yield f"{module.name}:{line} imports ssl"
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module == "ssl":
                yield f"{module.name}:{node.lineno} imports names from ssl"
            elif isinstance(node, ast.Attribute):
                owner = ast.unparse(node.value)
                if owner == "ssl" and node.attr != "get_default_verify_paths":
                    yield f"{module.name}:{node.lineno} uses ssl.{node.attr}"


def sizes(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        lines = len(module.source.splitlines())
        if lines > MAX_FILE_LINES:
            yield f"{module.name} has {lines} lines"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    yield f"{module.name}:{node.lineno} {node.name} has {lines} lines"


RULES: tuple[Callable[[Modules], Iterator[str]], ...] = (
    upward_arrows,
    ground_floor,
    unknown_packages,
    cycles,
    outside_world,
    foreign_tls,
    sizes,
)


@pytest.fixture(scope="module")
def project() -> Modules:
    return load(ROOT)


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps_the_rule(project: Modules, rule: Callable[[Modules], Iterator[str]]) -> None:
    assert list(rule(project)) == []


def test_the_project_is_read(project: Modules) -> None:
    assert {"quicmini", "quicmini.errors", "quicmini.wire.frames", "quicmini.recovery.loss", "chat"} <= project.keys()
    assert "tests.test_layering" in project


LONG_FUNCTION = "def f() -> None:\n" + "    pass\n" * MAX_FUNCTION_LINES

# What breaks a rule: the files of a small tree, and the one sentence that it must earn.
WRONG = {
    "an upward arrow": (
        {"wire/a.py": "", "tls/b.py": "", "wire/c.py": "import os\nfrom quicmini.tls.b import x"},
        "quicmini.wire.c:2 imports quicmini.tls.b, which is above it",
    ),
    "an upward arrow for type checking only": (
        {"tls/b.py": "", "wire/c.py": "if TYPE_CHECKING:\n    import quicmini.tls.b"},
        "quicmini.wire.c:2 imports quicmini.tls.b, which is above it",
    ),
    "an upward arrow inside a function": (
        {"sync/b.py": "", "connection/c.py": "def f():\n    from quicmini.sync import b"},
        "quicmini.connection.c:2 imports quicmini.sync.b, which is above it",
    ),
    "a relative upward arrow": (
        {"tls/b.py": "", "wire/c.py": "from ..tls import b"},
        "quicmini.wire.c:1 imports quicmini.tls.b, which is above it",
    ),
    "a relative upward arrow of a package": (
        {"tls/b.py": "", "wire/__init__.py": "from ..tls.b import x"},
        "quicmini.wire:1 imports quicmini.tls.b, which is above it",
    ),
    "a floor that reads the face": (
        {"__init__.py": "", "wire/c.py": "from quicmini import connect"},
        "quicmini.wire.c:1 imports quicmini, which is above it",
    ),
    "a floor that reads an observer": (
        {"observe/qlog.py": "", "sync/c.py": "from quicmini.observe import qlog"},
        "quicmini.sync.c:1 imports quicmini.observe.qlog, which is above it",
    ),
    "errors that import settings": (
        {"errors.py": "from quicmini.config import Config", "config.py": ""},
        "quicmini.errors:1 imports quicmini.config",
    ),
    "a package on no floor": ({"util/__init__.py": ""}, "quicmini.util is on no floor"),
    "a cycle": (
        {"wire/a.py": "from . import c", "wire/b.py": "from quicmini.wire.a import x", "wire/c.py": "from .b import x"},
        "a cycle: quicmini.wire.a -> quicmini.wire.c -> quicmini.wire.b -> quicmini.wire.a",
    ),
    "a clock": ({"wire/a.py": "import time"}, "quicmini.wire.a:1 imports time"),
    "a socket": ({"tls/a.py": "from socket import AF_INET"}, "quicmini.tls.a:1 imports socket"),
    "a thread": ({"streams/a.py": "def f():\n    import threading"}, "quicmini.streams.a:2 imports threading"),
    "randomness": ({"study/a.py": "import random"}, "quicmini.study.a:1 imports random"),
    "the system's randomness": ({"crypto/a.py": "import os\nos.urandom(8)"}, "quicmini.crypto.a:2 uses os.urandom"),
    "the same by name": ({"crypto/a.py": "from os import urandom"}, "quicmini.crypto.a:1 imports os.urandom"),
    "a calendar": (
        {"tls/a.py": "import datetime\ndatetime.datetime.now(datetime.UTC)"},
        "quicmini.tls.a:2 uses datetime.now",
    ),
    "a foreign TLS": ({"sync/a.py": "import ssl"}, "quicmini.sync.a:1 imports ssl"),
    "more of it than paths": (
        {"tls/certificates.py": "import ssl\nssl.get_default_verify_paths().cafile\nssl.create_default_context()"},
        "quicmini.tls.certificates:3 uses ssl.create_default_context",
    ),
    "a long file": ({"wire/a.py": "pass\n" * (MAX_FILE_LINES + 1)}, "quicmini.wire.a has 501 lines"),
    "a long function": ({"wire/a.py": LONG_FUNCTION}, "quicmini.wire.a:1 f has 61 lines"),
}


@pytest.mark.parametrize(("files", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_tree_earns_its_sentence(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    for name, source in files.items():
        path = tmp_path / "quicmini" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    modules = load(tmp_path)
    assert [found for rule in RULES for found in rule(modules)] == [sentence]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_long_file_is_found_in_every_package(tmp_path: Path, package: str) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "long.py").write_text("pass\n" * (MAX_FILE_LINES + 1))
    assert list(sizes(load(tmp_path))) == [f"{package}.long has 501 lines"]


@pytest.mark.parametrize("package", ["sync", "study/link"])
def test_few_may_touch_the_world(tmp_path: Path, package: str) -> None:
    path = tmp_path / "quicmini" / package / "loop.py"
    path.parent.mkdir(parents=True)
    path.write_text("import os, socket, threading, time\nfrom quicmini.wire import varint\nos.urandom(1)\n")
    modules = load(tmp_path)
    assert [found for rule in RULES for found in rule(modules)] == []
