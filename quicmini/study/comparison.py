"""One value as an RFC gives it beside the same value as this project computes it."""

from __future__ import annotations

from typing import NamedTuple

from vectors import Values

__all__ = ["Comparison", "same"]


class Comparison(NamedTuple):
    """What was compared, what the RFC says, what came out."""

    what: str
    expected: bytes | int | str
    actual: bytes | int | str

    @property
    def matches(self) -> bool:
        """Whether the two values are the same."""
        return self.expected == self.actual

    def difference(self) -> list[str]:
        """Lines that show both values and, for bytes, the offset of the first one that differs."""
        lines = [f"expected {_shown(self.expected)}", f"actual   {_shown(self.actual)}"]
        if isinstance(self.expected, bytes) and isinstance(self.actual, bytes):
            lines.append(_first_difference(self.expected, self.actual))
        return lines


def same(values: Values, name: str, actual: bytes | int) -> Comparison:
    """The comparison of a vector's value with the computed one."""
    return Comparison(name, values.octets(name) if isinstance(actual, bytes) else values.integer(name), actual)


def _shown(value: bytes | int | str) -> str:
    return value.hex() or "(empty)" if isinstance(value, bytes) else str(value)


def _first_difference(expected: bytes, actual: bytes) -> str:
    for offset, (a, b) in enumerate(zip(expected, actual, strict=False)):
        if a != b:
            return f"first differing byte: offset {offset}, expected {a:02x}, actual {b:02x}"
    end = min(len(expected), len(actual))
    return f"first differing byte: offset {end}; expected {len(expected)} bytes, actual {len(actual)}"
