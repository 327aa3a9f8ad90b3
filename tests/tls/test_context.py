"""Settings that cannot work are refused when the context is made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tls.peers import client_context, server_context


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"alpn_protocols": ()}, "at least one protocol"),
        ({"alpn_protocols": ("",)}, "1 to 255 bytes"),
        ({"alpn_protocols": ("x" * 256,)}, "1 to 255 bytes"),
        ({"cipher_suites": ()}, "at least one cipher suite"),
        ({"cipher_suites": (0x1304,)}, "cipher suite 0x1304 is not implemented"),
        ({"groups": ()}, "at least one group"),
        ({"groups": (0x001D, 0x0019)}, "group 0x0019 is not implemented"),
    ],
)
def test_what_cannot_work(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        client_context(**changes)
    with pytest.raises(ValueError, match=sentence):
        server_context(**changes)


def test_what_is_encoded_once() -> None:
    context = client_context()
    assert context.hello_extensions is context.hello_extensions
    assert context.protocols == {b"chat": "chat", b"h3": "h3"}
