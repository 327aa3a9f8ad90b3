"""The commands that a document shows, and what they print.

    ```console
    $ python -m quicmini vectors rfc9000-a1-varint
    rfc9000-a1-varint …  ok
    ```

Each block is commands (after `$ `, continued after `> `), each with all that it prints. `…` stands for anything within
a line; a line of nothing but `…`, for any number of lines. A command succeeds, unless the block's first line says
otherwise: ```` ```console exits 1 ````.

The commands of a document run one after another in a directory of their own, in which the project's files are to be
seen, as in a fresh clone of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.docs.citations import ROOT

__all__ = ["Command", "commands", "differences", "execute", "furnish"]

TIMEOUT = 120  # seconds
ANYTHING = "…"

Kinds = dict[str, str]  # by what something looks like: what would do as well

# Times are not in `RFC 9000 §8.2`, `TLS 1.3`, `127.0.0.1`.
_ALIKE: Kinds = {
    r" {2,}": r" {2,}",
    r"─{2,}": r"─{2,}",
    r"░+": r"░+",
    r"█+": r"█+",
    r"(?<![\w.,§])(?<!TLS )\d[\d,]*\.\d(?![\w.])": r"[\d,]+\.\d",
    r"(?<=\d:)\d{5}\b": r"\d{4,5}",
    r"(?<![^\W_])[0-9a-f]{16}(?![^\W_])": r"[0-9a-f]{16}",
}
_ROUGHLY: Kinds = {r"(?<=│)[^│\n]*$": r"[^│\n]*", **_ALIKE, r"\b\d[\d,]*\b": r"\d[\d,]*"}

_BLOCK = re.compile(r"^```console( roughly)?(?: exits (\d+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Command(NamedTuple):
    """One command of a document. line: where its block starts, from 1."""

    line: int
    text: str
    output: list[str]
    status: int = 0
    roughly: bool = False


def commands(page: str) -> Iterator[Command]:
    """All commands of a document, in order. Raises ValueError for a block that starts with something else."""
    for block in _BLOCK.finditer(page):
        line = page.count("\n", 0, block.start()) + 1
        texts: list[tuple[str, list[str]]] = []
        for shown in block[3].splitlines():
            if shown.startswith("$ "):
                texts.append((shown[2:], []))
            elif not texts:
                raise ValueError(f"line {line}: output of no command: {shown!r}")
            elif (shown == ">" or shown.startswith("> ")) and not texts[-1][1]:
                texts[-1] = (f"{texts[-1][0]}\n{shown[2:]}", [])
            else:
                texts[-1][1].append(shown)
        status, roughly = int(block[2] or 0), block[1] is not None
        yield from (Command(line, text, output, status, roughly) for text, output in texts)


def furnish(directory: Path) -> None:
    """Make a directory look like a clone of the project."""
    for path in ROOT.iterdir():
        if not path.name.startswith("."):
            (directory / path.name).symlink_to(path)


def execute(command: Command, directory: Path) -> tuple[int, list[str]]:
    """Run a command in a directory; its exit status, and what it has printed anywhere. Blocks until it ends."""
    environment = {name: value for name, value in os.environ.items() if name not in ("SSLKEYLOGFILE", "QLOGDIR")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        check=False,
    )
    return done.returncode, [line.rstrip() for line in done.stdout.decode("utf-8").splitlines()]


def differences(command: Command, printed: list[str]) -> list[str]:
    """What a reader would find that is not as it was shown; nothing if it is."""
    shown, kinds = command.output, _ROUGHLY if command.roughly else _ALIKE
    if _fits(shown, printed, kinds):
        return []
    # The longest beginning that is right, to say where it goes wrong.
    right = max(count for count in range(len(shown) + 1) if _fits([*shown[:count], ANYTHING], printed, kinds))
    expected = shown[right] if right < len(shown) else "(nothing more)"
    return [f"not printed as shown from here: {expected!r}", "printed was:", *printed]


def _fits(shown: list[str], printed: list[str], kinds: Kinds) -> bool:
    parts = []
    for line in shown:
        if line.strip() == ANYTHING:
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*?".join(_pattern(part, kinds) for part in line.rstrip().split(ANYTHING)) + r"\n")
    return re.fullmatch("".join(parts), "".join(f"{line}\n" for line in printed)) is not None


def _pattern(part: str, kinds: Kinds) -> str:
    """What a part of a line may be."""
    patterns, end = [], 0
    for found in re.finditer("|".join(f"({kind})" for kind in kinds), part):
        patterns += [re.escape(part[end : found.start()]), list(kinds.values())[(found.lastindex or 0) - 1]]
        end = found.end()
    return "".join([*patterns, re.escape(part[end:])])
