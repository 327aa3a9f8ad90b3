"""Bytes in words."""

from __future__ import annotations

import pytest

from quicmini.study.texts import shown_bytes


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "0 bytes"),
        (b"h", "1 byte 'h'"),
        ("grüß dich\n".encode(), "12 bytes 'grüß dich\\n'"),
        (b"a" * 81, f"81 bytes '{'a' * 80}'…"),
        (b"a" + "ü".encode() * 60, f"121 bytes 'a{'ü' * 39}'…"),  # the cut goes through a letter
        (bytes(range(16)), "16 bytes"),
        (b"\x03Ada\x01\x05hello\x00", "12 bytes |·Ada··hello·|"),
        (b"\x1b[31mcoloured", "13 bytes |·[31mcoloured|"),
        (b"\x00\x01\x02abcd\x03", "8 bytes"),
    ],
)
def test_bytes_as_people_see_them(data: bytes, shown: str) -> None:
    assert shown_bytes(data) == shown
