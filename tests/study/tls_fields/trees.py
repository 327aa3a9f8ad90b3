"""What holds for every tree of fields, and how tests look into one."""

from __future__ import annotations

from collections.abc import Iterator

from quicmini.study.fields import Field

__all__ = ["check_tree", "leaves", "only", "problems"]


def leaves(field: Field) -> Iterator[Field]:
    return (each for each in field.walk() if not each.children)


def check_tree(field: Field, data: bytes, offset: int) -> None:
    """Each byte stands in exactly one leaf, in order, and each field has the bytes of its place."""
    assert (field.offset, field.raw) == (offset, data)
    assert b"".join(leaf.raw for leaf in leaves(field)) == data
    for each in field.walk():
        assert each.raw == data[each.offset - offset : each.end - offset]
        if each.children:
            starts = [each.offset, *(child.end for child in each.children)]
            assert [child.offset for child in each.children] == starts[:-1]
            assert starts[-1] == each.end
        assert each.name
        assert each.value.isprintable()


def only(field: Field, name: str) -> Field:
    """The one field of that name, the outermost if it consists of others of the same name."""
    found = [each for each in field.walk() if each.name == name]
    assert found, f"no {name} in {[each.name for each in field.walk()]}"
    assert all(each.offset >= found[0].offset and each.end <= found[0].end for each in found)
    return found[0]


def problems(field: Field) -> list[str]:
    return [each.value for each in field.walk() if each.name == "unreadable"]
