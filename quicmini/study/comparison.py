"""One value as an RFC gives it beside the same value as this project computes it, and what was known before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from quicmini.study.columns import LINE, LONGEST, Value
from quicmini.study.derivation import Step
from quicmini.study.fields import Field
from vectors import Values

__all__ = ["Checked", "Comparison", "Layout", "Shown", "Told", "same"]

Layout = Callable[[bytes], Field]  # takes bytes apart

BEFORE = 8  # bytes that are shown in front of a difference


class Shown(NamedTuple):
    """Something that goes into what is compared next; `note` says what it is, or where it comes from."""

    what: str
    value: Value
    note: str = ""


class Comparison(NamedTuple):
    """What was compared, what the RFC says, what came out.

    layout: tells which field a byte lies in. note: how the value came about.
    """

    what: str
    expected: Value
    actual: Value
    layout: Layout | None = None
    note: str = ""

    @property
    def matches(self) -> bool:
        """Whether the two values are the same."""
        return self.expected == self.actual

    def difference(self) -> list[str]:
        """Lines that show both values and, for bytes, where the first difference is, and in which field."""
        if not isinstance(self.expected, bytes) or not isinstance(self.actual, bytes):
            return [f"expected {self.expected!s}", f"actual   {self.actual!s}"]
        offset = _first_difference(self.expected, self.actual)
        start = 0 if max(len(self.expected), len(self.actual)) <= LONGEST else max(0, offset - BEFORE)
        lines = [
            f"expected {_around(self.expected, start)}",
            f"actual   {_around(self.actual, start)}",
            _where(self.expected, self.actual, offset),
        ]
        if self.layout is not None:
            lines += _meaning(self.layout(self.expected), self.layout(self.actual), offset)
        return lines


# What a check tells: what it compares, and on the way there what goes into it.
Told = Comparison | Shown | Step
Checked = Iterator[Told]


def same(values: Values, name: str, actual: bytes | int, layout: Layout | None = None, note: str = "") -> Comparison:
    """The comparison of a vector's value with the computed one."""
    expected = values.octets(name) if isinstance(actual, bytes) else values.integer(name)
    return Comparison(name, expected, actual, layout, note)


def _around(value: bytes, start: int) -> str:
    """All of a short value, else what stands around the difference."""
    shown = value if start == 0 and len(value) <= LONGEST else value[start : start + LINE]
    before, after = "… " if start else "", " …" if start + len(shown) < len(value) else ""
    return f"{before}{shown.hex()}{after}" if value else "(empty)"


def _first_difference(expected: bytes, actual: bytes) -> int:
    """The offset; where one ends if they are the same up to there."""
    end = min(len(expected), len(actual))
    return next((at for at in range(end) if expected[at] != actual[at]), end)


def _where(expected: bytes, actual: bytes, offset: int) -> str:
    if offset == min(len(expected), len(actual)):
        return f"first differing byte: offset {offset}; expected {len(expected)} bytes, actual {len(actual)}"
    return f"first differing byte: offset {offset}, expected {expected[offset]:02x}, actual {actual[offset]:02x}"


def _meaning(expected: Field, actual: Field, offset: int) -> list[str]:
    """Which field the byte lies in, and what it says on either side."""
    path = _path(expected, offset)
    *_, field = path
    section = next((each.section for each in reversed(path) if each.section), "")
    place = f"byte {offset - field.offset + 1} of {len(field.raw)}" if len(field.raw) > 1 else "its only byte"
    if offset >= expected.end:
        place = "after its end"
    names = " > ".join(name for name, _ in groupby(each.name for each in path))
    lines = [f"it lies in {names}, {place}" + (f" ({section})" if section else "")]
    if len(field.raw) == 1 and field.children:  # groups of bits
        theirs = {bits.name: bits.value for bits in _path(actual, offset)[-1].children}
        wrong = (bits for bits in field.children if theirs.get(bits.name, bits.value) != bits.value)
        # The first alone: if it says what kind of header it is, the others are not the same ones any more.
        return lines + [f"its {bits.name} should be {bits.value!r}, and is {theirs[bits.name]!r}" for bits in wrong][:1]
    should, other = _said(path), _said(_path(actual, offset))
    if should.value and should.value != other.value:
        lines.append(f"which should say {should.value!r}, and is {other.name} {other.value!r}")
    return lines


def _said(path: list[Field]) -> Field:
    """The smallest field that has a meaning, if any but the whole has one."""
    return next((field for field in reversed(path[1:]) if field.value), path[-1])


def _path(field: Field, offset: int) -> list[Field]:
    """From the whole to the smallest field that the byte lies in; groups of bits share theirs."""
    path = [field]
    while len(inner := [child for child in path[-1].children if child.offset <= offset < child.end]) == 1:
        path += inner
    return path
