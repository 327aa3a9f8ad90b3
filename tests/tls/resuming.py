"""Second connections of a client, with the ticket of the first: what the tests of resumption and early data share."""

from __future__ import annotations

from typing import Any

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.tls.codes import ExtensionType
from quicmini.tls.context import ServerContext
from quicmini.tls.events import EarlyDataDecided, TlsEvent
from quicmini.tls.key_schedule import KeySchedule
from quicmini.tls.messages import ClientHello
from quicmini.tls.psk import OfferedPsks, PskIdentity
from quicmini.tls.session import Session
from tests.tls.peers import (
    client_context,
    completion,
    make_client,
    make_server,
    shake_hands,
    started,
)

E = ExtensionType


def resumed(events: list[TlsEvent]) -> bool:
    return completion(events).resumed


def decided(events: list[TlsEvent]) -> list[bool]:
    """The decisions about early data: one at most."""
    return [event.accepted for event in events if isinstance(event, EarlyDataDecided)]


def connect_again(
    context: ServerContext, session: Session, *, early_data: bool = False, version: int = 1, **settings: Any
) -> tuple[list[TlsEvent], list[TlsEvent]]:
    """A second connection; the settings are the client's context's."""
    client = make_client(client_context(**settings), session=session, early_data=early_data, version=version)
    return shake_hands(client, make_server(context, version=version))


def hello_with(session: Session, *others: PskIdentity) -> bytes:
    """A ClientHello that offers the session's ticket after others, whose binders are right as well."""
    client = make_client()
    hello = ClientHello.parse(started(client)[4:])
    identity = PskIdentity(session.ticket, session.age_add)
    offered = OfferedPsks((*others, identity), (bytes(32),) * (len(others) + 1))
    encoded = hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: offered.encode()}).encode()
    binder = KeySchedule(CIPHER_SUITES[0x1301], session.psk).binder(encoded[: -offered.binders_size])
    offered = offered._replace(binders=(binder,) * (len(others) + 1))
    return hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: offered.encode()}).encode()
