"""Makes the table of what a qlog may hold out of the drafts' own definitions.

    python -m tests.observe.cddl DRAFT.md… > tests/observe/qlog_draft.json

The drafts (main schema, QUIC events) define everything in CDDL (RFC 8610), in fenced blocks of their Markdown. As much
of that language as they use is read here. The table says for each name what it stands for:

    "text"                       a name, of another entry or of the prelude
    ["uint64"]                   a list of such
    {"one of": [A, B]}           any of these
    {"is": "initial"}            this very word
    {"matches": "([0-9a-f]…)*"}  a text that matches this
    {"fields": {"?old": …}}      an object; `?` before what may be missing; "*" if it may have any others; "~NAME"
                                 for all those of another one
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["table_of"]

Kind = Any

_BLOCK = re.compile(r"^~~~ cddl\n(.*?)^~~~$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r";[^\n]*")
_TOKEN = re.compile(r'"[^"]*"|\$*~?[A-Za-z][\w-]*(?:\.\w+)?|\$+[\w-]+|//=|/=|=>|\.\w+|[={}\[\]/*?+:,~]|\d+')
# Names of which any object would do, for the sake of extensions: then a mistake would be one as well.
_OPEN = "$QuicFrame", "$ProtocolEventBody"


def table_of(*drafts: str) -> dict[str, Kind]:
    """The table of all that the drafts (their Markdown) define. Raises ValueError for what is not understood."""
    table: dict[str, Kind] = {}
    for draft in drafts:
        for block in _BLOCK.findall(draft):
            for name, kind in _Reader(_COMMENT.sub("", block)).rules():
                if name in _OPEN and "fields" in kind:
                    continue
                table[name] = kind if name not in table else {"one of": [table[name], kind]}
    return table


class _Reader:
    """Reads the rules of one block, by recursive descent."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._pos = 0

    def _peek(self, ahead: int = 0) -> str:
        return self._tokens[self._pos + ahead] if self._pos + ahead < len(self._tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._peek()
        if not token or (expected is not None and token != expected):
            raise ValueError(f"{expected or 'more'} expected, not {token!r}, after {self._tokens[: self._pos][-8:]}")
        self._pos += 1
        return token

    def rules(self) -> Iterator[tuple[str, Kind]]:
        while self._peek():
            name = self._take()
            if self._take() not in ("=", "/="):
                raise ValueError(f"{name} is not defined as a type")
            yield name, self._type()

    def _type(self) -> Kind:
        kinds = [self._single()]
        while self._peek() == "/":
            self._take()
            kinds.append(self._single())
        return kinds[0] if len(kinds) == 1 else {"one of": kinds}

    def _single(self) -> Kind:
        token = self._take()
        if token == "{":
            return self._object()
        if token == "[":
            while self._peek() in "*+?" or self._peek().isdigit():
                self._take()
            items = [self._type()]
            self._take("]")
            return items
        kind: Kind = {"is": token[1:-1]} if token.startswith('"') else token
        while self._peek().startswith("."):
            control, argument = self._take(), self._take()
            if control == ".regexp":
                kind = {"matches": argument[1:-1]}
        return kind

    def _object(self) -> Kind:
        fields: dict[str, Kind] = {}
        while self._peek() != "}":
            optional = ""
            while self._peek() in ("?", "*"):
                optional = self._take()
            name = self._take()
            if name == "~":
                fields[f"~{self._take()}"] = "any"
            elif name.startswith("~"):
                fields[name] = "any"
            elif name.startswith("$$"):
                continue
            elif self._peek() == "=>":
                self._take()
                fields["*"] = self._type()
            else:
                self._take(":")
                fields[optional + name] = self._type()
            if self._peek() == ",":
                self._take()
        self._take("}")
        return {"fields": fields}


def main(paths: list[str]) -> int:
    table = table_of(*(Path(path).read_text(encoding="utf-8") for path in paths))
    lines = (f"{json.dumps(name)}: {json.dumps(kind)}" for name, kind in table.items())
    print("{\n" + ",\n".join(lines) + "\n}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
