"""Every command in `docs/` runs, and prints what is shown; every function and file that a page points to is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.citations import ROOT
from tests.docs.console import commands, differences, execute, furnish

PAGES = sorted((ROOT / "docs").glob("*.md"))
MAX_WIDTH = 100  # columns, of what is shown

pages = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])

# In a drawing: `Loop.run   sync/loop.py`.
_DRAWN = re.compile(r"\b([A-Z]\w+\.\w+) {2,}(\w+/\w+\.py)")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)(?:#[^)]*)?\)")


@pages
def test_commands_print_what_is_shown(page: Path, tmp_path: Path) -> None:
    furnish(tmp_path)
    for command in commands(page.read_text(encoding="utf-8")):
        status, printed = execute(command, tmp_path)
        wrong = differences(command, printed)
        assert not wrong, "\n".join([f"{page.name}:{command.line}: $ {command.text}", *wrong])
        assert status == command.status, f"{page.name}:{command.line}: $ {command.text} exits {status}"


@pages
def test_what_is_shown_fits(page: Path) -> None:
    blocks = re.findall(r"^```.*?\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert [line for block in blocks for line in block.splitlines() if len(line) > MAX_WIDTH] == []


@pages
def test_what_is_pointed_to_is_there(page: Path) -> None:
    for text, target in _LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path = (page.parent / target).resolve()
        assert path.exists(), f"{page.name} points to {target}"
        if path.suffix == ".py" and text.startswith("`"):
            assert defines(path, text.strip("`")), f"{page.name}: there is no {text} in {target}"


@pages
def test_what_is_drawn_is_there(page: Path) -> None:
    for name, module in _DRAWN.findall(page.read_text(encoding="utf-8")):
        assert defines(ROOT / "quicmini" / module, name), f"{page.name}: there is no {name} in {module}"


def defines(path: Path, name: str) -> bool:
    """Whether a module has a function, a class, a method or a constant of that name; the module's own name will do."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    if name == path.name or name == path.relative_to(ROOT).as_posix():
        return True
    for part in name.removesuffix("()").split("."):
        found = [node for node in body if part in _names(node)]
        if not found:
            return False
        body = found[0].body if isinstance(found[0], ast.ClassDef) else []
    return True


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.AnnAssign):
        return {target.id for target in [node.target] if isinstance(target, ast.Name)}
    if isinstance(node, ast.Assign):
        return {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return set()


def test_names_are_looked_for() -> None:
    here = Path(__file__)
    for name in "defines", "MAX_WIDTH", "test_commands.py", "tests/docs/test_commands.py", "_names()":
        assert defines(here, name)
    assert not defines(here, "nobody")
    assert not defines(here, "defines.part")
    receive = ROOT / "quicmini" / "connection" / "receive.py"
    assert defines(receive, "Receiver.receive_datagrams")
    assert not defines(receive, "Receiver.nobody")
