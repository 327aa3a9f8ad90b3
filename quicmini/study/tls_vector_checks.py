"""The handshakes of RFC 8448: every secret of the TLS 1.3 key schedule, recomputed from keys and messages.

The key schedule is spelled out here, line by line as in RFC 9846 §7.1, instead of being taken from `quicmini.tls`: a
second way to the same values.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from quicmini.crypto.hkdf import hkdf_expand_label, hkdf_extract
from quicmini.study.comparison import Comparison, same
from vectors import Values

__all__ = ["tls_0rtt", "tls_1rtt"]

# Both handshakes use TLS_AES_128_GCM_SHA256.
HASH = "sha256"
HASH_LENGTH = 32
KEY_LENGTH = 16
IV_LENGTH = 12
ZEROS = bytes(HASH_LENGTH)

NEW_SESSION_TICKET = 4
EARLY_DATA = 42
BINDERS_LENGTH = 2 + 1 + HASH_LENGTH  # length of the list, length of its only binder, the binder


def _transcript_hash(*messages: bytes) -> bytes:
    return hashlib.sha256(b"".join(messages)).digest()


def _derive_secret(secret: bytes, label: str, *messages: bytes) -> bytes:
    return hkdf_expand_label(HASH, secret, label, _transcript_hash(*messages), HASH_LENGTH)


def _verify_data(base_key: bytes, transcript_hash: bytes) -> bytes:
    """What a Finished message or a PSK binder holds (RFC 9846 §4.4.4)."""
    return hmac.digest(hkdf_expand_label(HASH, base_key, "finished", b"", HASH_LENGTH), transcript_hash, HASH)


def _finished(base_key: bytes, *messages: bytes) -> bytes:
    """A whole Finished message: type 20, a length of three bytes, the verify_data."""
    return b"\x14" + HASH_LENGTH.to_bytes(3) + _verify_data(base_key, _transcript_hash(*messages))


def _key_and_iv(values: Values, prefix: str, secret: bytes) -> Iterator[Comparison]:
    yield same(values, f"{prefix}_key", hkdf_expand_label(HASH, secret, "key", b"", KEY_LENGTH))
    yield same(values, f"{prefix}_iv", hkdf_expand_label(HASH, secret, "iv", b"", IV_LENGTH))


def _key_exchange(values: Values) -> Iterator[Comparison]:
    """Both sides' key shares and the secret that each computes from the other's (RFC 7748 §6.1)."""
    for side, peer, hello in (("client", "server", "client_hello"), ("server", "client", "server_hello")):
        private = X25519PrivateKey.from_private_bytes(values.octets(f"{side}_x25519_private"))
        public = private.public_key().public_bytes_raw()
        yield same(values, f"{side}_x25519_public", public)
        yield Comparison(f"key share in the {hello}", True, public in values.octets(hello))
        peer_public = X25519PublicKey.from_public_bytes(values.octets(f"{peer}_x25519_public"))
        yield same(values, "ecdhe_shared", private.exchange(peer_public))


def tls_1rtt(values: Values) -> Iterator[Comparison]:
    """RFC 8448 §3: a full handshake, and the ticket that it ends with."""
    yield from _key_exchange(values)
    hello = (values.octets("client_hello"), values.octets("server_hello"))
    server_flight = tuple(values.octets(n) for n in ("encrypted_extensions", "certificate", "certificate_verify"))

    early_secret = hkdf_extract(HASH, b"", ZEROS)
    yield same(values, "early_secret", early_secret)
    derived = _derive_secret(early_secret, "derived")
    yield same(values, "derived_for_handshake", derived)
    handshake_secret = hkdf_extract(HASH, derived, values.octets("ecdhe_shared"))
    yield same(values, "handshake_secret", handshake_secret)
    client_secret = _derive_secret(handshake_secret, "c hs traffic", *hello)
    server_secret = _derive_secret(handshake_secret, "s hs traffic", *hello)
    yield same(values, "client_handshake_traffic_secret", client_secret)
    yield same(values, "server_handshake_traffic_secret", server_secret)
    yield from _key_and_iv(values, "client_handshake", client_secret)
    yield from _key_and_iv(values, "server_handshake", server_secret)

    server_finished = _finished(server_secret, *hello, *server_flight)
    yield same(values, "server_finished", server_finished)
    handshake = (*hello, *server_flight, server_finished)
    client_finished = _finished(client_secret, *handshake)
    yield same(values, "client_finished", client_finished)

    derived = _derive_secret(handshake_secret, "derived")
    yield same(values, "derived_for_master", derived)
    master_secret = hkdf_extract(HASH, derived, ZEROS)
    yield from _application_secrets(values, master_secret, handshake)
    resumption_secret = _derive_secret(master_secret, "res master", *handshake, client_finished)
    yield same(values, "resumption_master_secret", resumption_secret)
    nonce = values.octets("ticket_nonce")
    yield same(values, "resumption_psk", hkdf_expand_label(HASH, resumption_secret, "resumption", nonce, HASH_LENGTH))
    yield same(values, "new_session_ticket", _new_session_ticket(values))


def _application_secrets(values: Values, master_secret: bytes, handshake: tuple[bytes, ...]) -> Iterator[Comparison]:
    """The secrets that follow from the handshake up to the server's Finished."""
    yield same(values, "master_secret", master_secret)
    for name, label in (
        ("client_application_traffic_secret", "c ap traffic"),
        ("server_application_traffic_secret", "s ap traffic"),
        ("exporter_master_secret", "exp master"),
    ):
        yield same(values, name, _derive_secret(master_secret, label, *handshake))


def _new_session_ticket(values: Values) -> bytes:
    """The NewSessionTicket message with its early_data extension (RFC 9846 §4.6.1)."""
    nonce, ticket = values.octets("ticket_nonce"), values.octets("ticket")
    max_early_data_size = values.integer("max_early_data_size").to_bytes(4)
    extension = EARLY_DATA.to_bytes(2) + len(max_early_data_size).to_bytes(2) + max_early_data_size
    body = b"".join(
        (
            values.integer("ticket_lifetime").to_bytes(4),
            values.octets("ticket_age_add"),
            bytes((len(nonce),)) + nonce,
            len(ticket).to_bytes(2) + ticket,
            len(extension).to_bytes(2) + extension,
        )
    )
    return bytes((NEW_SESSION_TICKET,)) + len(body).to_bytes(3) + body


def tls_0rtt(values: Values) -> Iterator[Comparison]:
    """RFC 8448 §4: the PSK of §3 resumes, with 0-RTT data."""
    client_hello = values.octets("client_hello")
    early_secret = hkdf_extract(HASH, b"", values.octets("psk"))
    yield same(values, "early_secret", early_secret)
    binder_key = _derive_secret(early_secret, "res binder")
    yield same(values, "binder_key", binder_key)
    # The binder covers the ClientHello up to the list of binders (RFC 9846 §4.2.11.2).
    binder_hash = _transcript_hash(client_hello[:-BINDERS_LENGTH])
    yield same(values, "binder_transcript_hash", binder_hash)
    binder = _verify_data(binder_key, binder_hash)
    yield same(values, "binder", binder)
    yield Comparison("binder at the end of the client_hello", binder, client_hello[-HASH_LENGTH:])
    early_traffic_secret = _derive_secret(early_secret, "c e traffic", client_hello)
    yield same(values, "client_early_traffic_secret", early_traffic_secret)
    yield from _key_and_iv(values, "client_early", early_traffic_secret)
    yield same(values, "early_exporter_master_secret", _derive_secret(early_secret, "e exp master", client_hello))

    yield from _key_exchange(values)
    hello = (client_hello, values.octets("server_hello"))
    derived = _derive_secret(early_secret, "derived")
    handshake_secret = hkdf_extract(HASH, derived, values.octets("ecdhe_shared"))
    yield same(values, "handshake_secret", handshake_secret)
    yield same(values, "client_handshake_traffic_secret", _derive_secret(handshake_secret, "c hs traffic", *hello))
    server_secret = _derive_secret(handshake_secret, "s hs traffic", *hello)
    yield same(values, "server_handshake_traffic_secret", server_secret)
    encrypted_extensions = values.octets("encrypted_extensions")
    server_finished = _finished(server_secret, *hello, encrypted_extensions)
    yield same(values, "server_finished", server_finished)
    master_secret = hkdf_extract(HASH, _derive_secret(handshake_secret, "derived"), ZEROS)
    yield from _application_secrets(values, master_secret, (*hello, encrypted_extensions, server_finished))
