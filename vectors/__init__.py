"""The test vectors of the RFCs, as data: one JSON file for each vector, which names its RFC and section.

Byte strings are hexadecimal, numbers are numbers; `README.md` beside the files says more. `kind` says which check of
`quicmini.study.vector_checks` the vector goes through. The files are read through importlib.resources, so they are
found in an installed package as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, NamedTuple

__all__ = ["Values", "Vector", "load", "names"]

_SUFFIX = ".json"


class Values:
    """The named values of a vector. Reading one that is missing or of another type raises ValueError."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def _get(self, name: str, kind: type) -> Any:
        value = self._values.get(name)
        if not isinstance(value, kind):
            raise ValueError(f"the vector has no {kind.__name__} named {name!r}")
        return value

    def text(self, name: str) -> str:
        """A string as it stands in the file."""
        return str(self._get(name, str))

    def octets(self, name: str) -> bytes:
        """The bytes that the file gives in hexadecimal."""
        try:
            return bytes.fromhex(self.text(name))
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None

    def integer(self, name: str) -> int:
        """A number, or bytes in network byte order."""
        value = self._values.get(name)
        return value if isinstance(value, int) else int.from_bytes(self.octets(name))

    def group(self, name: str) -> Values:
        """Values that belong together under one name."""
        return Values(self._get(name, dict))


class Vector(NamedTuple):
    """A test vector: where it stands, how it is checked, and its values."""

    name: str
    rfc: str
    section: str
    title: str
    kind: str
    values: Values


def names() -> list[str]:
    """The names of all vectors, sorted."""
    return sorted(
        entry.name.removesuffix(_SUFFIX)
        for entry in resources.files(__name__).iterdir()
        if entry.name.endswith(_SUFFIX)
    )


def load(name: str) -> Vector:
    """The vector of that name. FileNotFoundError: there is none; ValueError: its file is damaged."""
    content = json.loads(resources.files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("the file holds no JSON object")
    fields = Values(content)
    return Vector(
        name,
        fields.text("rfc"),
        fields.text("section"),
        fields.text("title"),
        fields.text("kind"),
        fields.group("values"),
    )
