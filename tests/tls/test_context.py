"""Settings that cannot work are refused when the context is made."""

from __future__ import annotations

import os
from typing import Any

import pytest

from quicmini.crypto.tokens import TicketKeys
from quicmini.tls.certificates import TrustStore
from quicmini.tls.codes import NamedGroup
from quicmini.tls.context import protocol_names
from quicmini.tls.groups import GROUPS
from tests.tls.certs import make
from tests.tls.peers import client_context, server_context

TRUST = TrustStore([make("authority").certificate])


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


def test_a_group_that_the_installation_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(GROUPS, NamedGroup.X25519MLKEM768)
    context = client_context(groups=(NamedGroup.X25519MLKEM768, NamedGroup.SECP256R1, NamedGroup.X25519))
    assert context.groups == (NamedGroup.SECP256R1, NamedGroup.X25519)
    assert context.groups_with_shares == (NamedGroup.SECP256R1,)
    with pytest.raises(ValueError, match="at least one group"):
        server_context(groups=(NamedGroup.X25519MLKEM768,))


@pytest.mark.parametrize(
    ("groups", "shares"),
    [
        ((0x11EC, 0x1D, 0x17), (0x11EC, 0x1D)),
        ((0x11EC, 0x17, 0x1D), (0x11EC, 0x17)),
        ((0x1D, 0x11EC), (0x1D,)),
        ((0x11EC,), (0x11EC,)),
    ],
)
def test_the_groups_with_shares(groups: tuple[int, ...], shares: tuple[int, ...]) -> None:
    assert client_context(groups=groups).groups_with_shares == shares


@pytest.mark.parametrize("setting", [{"ticket_keys": TicketKeys(os.urandom)}, {"client_trust_store": TRUST}])
def test_what_needs_a_clock(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="clock"):
        server_context(**setting)


@pytest.mark.parametrize("protocols", ["chat", [b"chat"], ["chat", None]])
def test_what_is_no_list_of_protocols(protocols: Any) -> None:
    with pytest.raises(TypeError, match="list of strings"):
        protocol_names(protocols)


def test_protocols_may_come_from_anywhere() -> None:
    assert protocol_names(name for name in ("chat", "h3")) == ("chat", "h3")
