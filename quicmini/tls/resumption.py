"""A client's offer to resume a session: whether it may, and the ClientHello that says so (RFC 9846 §2.2, §4.3.11)."""

from __future__ import annotations

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.errors import HandshakeError
from quicmini.tls.codes import ExtensionType
from quicmini.tls.context import ClientContext
from quicmini.tls.key_schedule import KeySchedule
from quicmini.tls.messages import ClientHello
from quicmini.tls.psk import OfferedPsks, PskIdentity
from quicmini.tls.session import Session, identity_of
from quicmini.tls.verification import ServerName

__all__ = ["encode_with_psk", "may_resume"]


def may_resume(session: Session, context: ClientContext, server_name: ServerName | None, version: int) -> bool:
    """Whether this connection may be the continuation of that one; if not, it begins anew.

    A resumed server shows no certificate: the one it has shown must be good enough for this connection, too, which may
    trust other authorities than the first (RFC 9846 §4.7.1).
    """
    now = context.clock()
    own_certificate = context.credential.chain[0] if context.credential is not None else None
    if (
        session.age(now.timestamp()) is None
        or session.version != version
        or session.server_name != (None if server_name is None else server_name.text)
        or session.alpn_protocol not in context.alpn_protocols
        or session.identity not in (b"", identity_of(own_certificate))
        or not any(CIPHER_SUITES[code].hash_name == session.hash_name for code in context.cipher_suites)
    ):
        return False
    try:
        context.authenticated_key(session.peer_chain, server_name)
    except HandshakeError:
        return False
    return True


def encode_with_psk(hello: ClientHello, session: Session, now: float, schedule: KeySchedule) -> bytes:
    """The ClientHello with pre_shared_key as its last extension, which proves that this side knows the key.

    now: seconds since 1970. schedule: begun with the session's key; its transcript is what came before this message.
    """
    age = session.age(now) or 0.0
    identity = PskIdentity(session.ticket, (int(age * 1000) + session.age_add) % 2**32)
    # The binder is made over lengths that are those of the whole message (RFC 9846 §4.3.11.2).
    offered = OfferedPsks((identity,), (bytes(schedule.suite.hash_length),))
    extensions = {**hello.extensions, ExtensionType.PRE_SHARED_KEY: offered.encode()}
    encoded = hello._replace(extensions=extensions).encode()
    binder = schedule.binder(encoded[: -offered.binders_size])
    return encoded[: -len(binder)] + binder
