"""The key schedule of TLS 1.3 and the transcript that goes into it (RFC 9846 §4.1, §7.1)."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import NamedTuple

from quicmini.crypto.hkdf import hkdf_expand_label, hkdf_extract, hmac_digest
from quicmini.crypto.keys import CipherSuite
from quicmini.tls.codes import HandshakeType

__all__ = [
    "CLIENT_CONTEXT",
    "SERVER_CONTEXT",
    "KeySchedule",
    "TrafficSecrets",
    "certificate_verify_content",
    "resumption_psk",
]

# What a CertificateVerify signature says it is for (RFC 9846 §4.5.2).
CLIENT_CONTEXT = "TLS 1.3, client CertificateVerify"
SERVER_CONTEXT = "TLS 1.3, server CertificateVerify"


class TrafficSecrets(NamedTuple):
    """The secrets of both directions at one encryption level."""

    client: bytes
    server: bytes


@cache  # keyed by the hash's name alone: two entries at most
def _empty_hash(hash_name: str) -> bytes:
    return hashlib.new(hash_name).digest()


@cache  # without a PSK it is a constant of the hash, so two entries at most: two HMACs saved on each side
def _early_secret_without_psk(hash_name: str) -> tuple[bytes, bytes]:
    early_secret = hkdf_extract(hash_name, b"", bytes(len(_empty_hash(hash_name))))
    return early_secret, _derived(hash_name, early_secret)


def _derived(hash_name: str, secret: bytes) -> bytes:
    """The salt that carries one stage's secret into the next."""
    empty = _empty_hash(hash_name)
    return hkdf_expand_label(hash_name, secret, "derived", empty, len(empty))


class KeySchedule:
    """The secrets of one handshake, stage by stage, and the running hash of its messages.

    `update` takes every handshake message as it is sent or received; each derivation below uses the transcript as it
    stands, so the order of calls is the order of RFC 9846 §7.1:

        update(ClientHello), update(ServerHello), handshake_traffic_secrets(shared_secret),
        update(… server Finished), application_traffic_secrets(), exporter_secret(),
        update(… client Finished), resumption_secret()

    With a pre-shared key there are two more: binder(ClientHello without its binders) before the ClientHello, and
    early_traffic_secret() after it.

    secret: the stage's secret, Early, Handshake or Main; salt: what the next stage is extracted with.
    """

    def __init__(self, suite: CipherSuite, psk: bytes | None = None) -> None:
        self.suite = suite
        self._hash_name = suite.hash_name
        self._transcript = hashlib.new(suite.hash_name)
        self.use_psk(psk)

    def use_psk(self, psk: bytes | None) -> None:
        """Begin with this pre-shared key, or with none: known at the latest when the server has chosen."""
        if psk is None:
            self.secret, self.salt = _early_secret_without_psk(self._hash_name)
        else:
            self.secret = hkdf_extract(self._hash_name, b"", psk)
            self.salt = _derived(self._hash_name, self.secret)

    def update(self, message: bytes) -> None:
        """Append a whole handshake message, header included, to the transcript."""
        self._transcript.update(message)

    def replace_by_message_hash(self) -> None:
        """After a HelloRetryRequest the first ClientHello counts only as its hash (RFC 9846 §4.1)."""
        digest = self._transcript.digest()
        header = bytes((HandshakeType.MESSAGE_HASH, 0, 0, len(digest)))
        self._transcript = hashlib.new(self._hash_name, header + digest)

    def transcript_hash(self) -> bytes:
        """Transcript-Hash of what was updated so far."""
        return self._transcript.digest()

    def derive_secret(self, label: str) -> bytes:
        """Derive-Secret(the stage's secret, label, the transcript so far)."""
        digest = self._transcript.digest()
        return hkdf_expand_label(self._hash_name, self.secret, label, digest, len(digest))

    def _advance(self, input_keying_material: bytes) -> None:
        self.secret = hkdf_extract(self._hash_name, self.salt, input_keying_material)

    def binder(self, truncated_hello: bytes) -> bytes:
        """The proof that the client has this PSK (RFC 9846 §4.3.11.2); the transcript ends before its hello."""
        transcript = self._transcript.copy()
        transcript.update(truncated_hello)
        empty, hash_length = _empty_hash(self._hash_name), self.suite.hash_length
        binder_key = hkdf_expand_label(self._hash_name, self.secret, "res binder", empty, hash_length)
        return self._finished_mac(binder_key, transcript.digest())

    def early_traffic_secret(self) -> bytes:
        """The secret of 0-RTT packets; the transcript ends with the first ClientHello."""
        return self.derive_secret("c e traffic")

    def handshake_traffic_secrets(self, shared_secret: bytes) -> TrafficSecrets:
        """Enter the handshake stage; the transcript ends with ServerHello."""
        self._advance(shared_secret)
        return TrafficSecrets(self.derive_secret("c hs traffic"), self.derive_secret("s hs traffic"))

    def application_traffic_secrets(self) -> TrafficSecrets:
        """Enter the main stage; the transcript ends with the server's Finished."""
        self.salt = _derived(self._hash_name, self.secret)
        self._advance(bytes(self.suite.hash_length))
        return TrafficSecrets(self.derive_secret("c ap traffic"), self.derive_secret("s ap traffic"))

    def exporter_secret(self) -> bytes:
        """The secret that exporters start from; the transcript ends with the server's Finished (RFC 9846 §7.5)."""
        return self.derive_secret("exp master")

    def resumption_secret(self) -> bytes:
        """The secret that tickets' PSKs come from; the transcript ends with the client's Finished."""
        return self.derive_secret("res master")

    def verify_data(self, base_key: bytes) -> bytes:
        """What a Finished holds at this point of the transcript; base_key: its sender's handshake traffic secret."""
        return self._finished_mac(base_key, self._transcript.digest())

    def _finished_mac(self, base_key: bytes, transcript_hash: bytes) -> bytes:
        finished_key = hkdf_expand_label(self._hash_name, base_key, "finished", b"", self.suite.hash_length)
        return hmac_digest(self._hash_name, finished_key, transcript_hash)


def certificate_verify_content(context: str, transcript_hash: bytes) -> bytes:
    """What a CertificateVerify signs (RFC 9846 §4.5.2)."""
    return b" " * 64 + context.encode("ascii") + b"\0" + transcript_hash


def resumption_psk(suite: CipherSuite, resumption_secret: bytes, ticket_nonce: bytes) -> bytes:
    """The pre-shared key that belongs to a ticket (RFC 9846 §4.7.1)."""
    return hkdf_expand_label(suite.hash_name, resumption_secret, "resumption", ticket_nonce, suite.hash_length)
