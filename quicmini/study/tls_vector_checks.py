"""The handshakes of RFC 8448: every secret of the TLS 1.3 key schedule, recomputed from private keys and messages.

The secrets of the stages come from HKDF here, as RFC 9846 §7.1 draws them; all that is derived from them comes from
`quicmini.tls`, the way a handshake derives it, and each HKDF step is told beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from quicmini.crypto.hkdf import hkdf_expand_label
from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.study.comparison import Checked, Comparison, Shown, same
from quicmini.study.derivation import Input, Step, expand_label, extract
from quicmini.study.vector_layouts import message_layout
from quicmini.tls.codes import ExtensionType, NamedGroup
from quicmini.tls.groups import GROUPS
from quicmini.tls.key_schedule import KeySchedule, resumption_psk
from quicmini.tls.messages import Finished, NewSessionTicket
from vectors import Values

__all__ = ["tls_0rtt", "tls_1rtt"]

SUITE = CIPHER_SUITES[0x1301]  # TLS_AES_128_GCM_SHA256, in both handshakes
HASH = SUITE.hash_name
ZEROS = bytes(SUITE.hash_length)
IV_LENGTH = 12

SECTION = "RFC 9846 §7.1"

MESSAGE_HEADER_LENGTH = 4  # type, length of three bytes
BINDERS_LENGTH = 2 + 1 + SUITE.hash_length  # length of the list, length of its only binder, the binder


def tls_1rtt(values: Values) -> Checked:
    """RFC 8448 §3: a full handshake, and the ticket that it ends with."""
    yield from _key_exchange(values)
    yield from _stage_secrets(values, ZEROS)
    schedule = KeySchedule(SUITE)
    schedule.update(values.octets("client_hello"))
    yield from _handshake(values, schedule, "encrypted_extensions", "certificate", "certificate_verify")
    client_secret = values.octets("client_handshake_traffic_secret")  # as compared in _handshake
    yield from _key_and_iv(values, "client_handshake", client_secret)
    yield from _key_and_iv(values, "server_handshake", values.octets("server_handshake_traffic_secret"))

    client_finished = Finished(schedule.verify_data(client_secret)).encode()
    yield from _finished(schedule, "client", client_secret)
    yield same(values, "client_finished", client_finished, message_layout)
    schedule.update(client_finished)
    resumption_secret = schedule.resumption_secret()
    yield _derived(schedule, "resumption_master_secret", "res master")
    yield same(values, "resumption_master_secret", resumption_secret)
    source, nonce = Input("resumption_master_secret", resumption_secret), values.octets("ticket_nonce")
    yield expand_label("resumption_psk", source, "resumption", SUITE.hash_length, "RFC 9846 §4.7.1", nonce, HASH)
    yield same(values, "resumption_psk", resumption_psk(SUITE, resumption_secret, values.octets("ticket_nonce")))
    yield from _new_session_ticket(values)


def tls_0rtt(values: Values) -> Checked:
    """RFC 8448 §4: the PSK of §3 resumes, with 0-RTT data."""
    client_hello = values.octets("client_hello")
    yield from _key_exchange(values)
    yield from _stage_secrets(values, values.octets("psk"))
    schedule = KeySchedule(SUITE, values.octets("psk"))
    binder_key = schedule.derive_secret("res binder")
    yield _derived(schedule, "binder_key", "res binder")
    yield same(values, "binder_key", binder_key)
    # The binder covers the ClientHello up to the list of binders (RFC 9846 §4.3.11.2).
    schedule.update(client_hello[:-BINDERS_LENGTH])
    yield same(values, "binder_transcript_hash", schedule.transcript_hash())
    yield same(values, "binder", schedule.verify_data(binder_key))
    yield same(values, "binder", KeySchedule(SUITE, values.octets("psk")).binder(client_hello[:-BINDERS_LENGTH]))
    yield same(values, "binder", client_hello[-SUITE.hash_length :])

    schedule.update(client_hello[-BINDERS_LENGTH:])
    early_traffic_secret = schedule.early_traffic_secret()
    yield _derived(schedule, "client_early_traffic_secret", "c e traffic")
    yield same(values, "client_early_traffic_secret", early_traffic_secret)
    yield from _key_and_iv(values, "client_early", early_traffic_secret)
    yield same(values, "early_exporter_master_secret", schedule.derive_secret("e exp master"))
    yield from _handshake(values, schedule, "encrypted_extensions")


def _key_exchange(values: Values) -> Checked:
    """Both sides' key shares, and the secret that each computes from the other's."""
    client_private, server_private = (values.octets(f"{side}_x25519_private") for side in ("client", "server"))
    group = GROUPS[NamedGroup.X25519]
    share = group.offer(lambda _: client_private)
    yield same(values, "client_x25519_public", share.public)
    yield same(values, "ecdhe_shared", share.shared_secret(values.octets("server_x25519_public")))
    server_public, shared_secret = group.respond(values.octets("client_x25519_public"), lambda _: server_private)
    yield same(values, "server_x25519_public", server_public)
    yield same(values, "ecdhe_shared", shared_secret)


def _stage_secrets(values: Values, psk: bytes) -> Checked:
    """The secrets of the three stages and the salts between them; RFC 8448 gives the salts in §3 only."""
    nothing = hashlib.new(HASH).digest()
    secret = extract("early_secret", Input("0", b""), Input("PSK", psk), SECTION, HASH)
    yield secret
    yield same(values, "early_secret", secret.output)
    for stage, keying_material in (
        ("handshake", Input("ecdhe_shared", values.octets("ecdhe_shared"))),
        ("master", Input("0", ZEROS)),
    ):
        source = Input(secret.name, secret.output)
        name = f"derived_for_{stage}"
        salt = expand_label(name, source, "derived", SUITE.hash_length, SECTION, nothing, HASH)
        yield salt
        if name in values:
            yield same(values, name, salt.output)
        secret = extract(f"{stage}_secret", Input(name, salt.output), keying_material, SECTION, HASH)
        yield secret
        yield same(values, secret.name, secret.output)


def _handshake(values: Values, schedule: KeySchedule, *flight: str) -> Checked:
    """From the ServerHello to the server's Finished, which follows the messages of `flight`."""
    schedule.update(values.octets("server_hello"))
    handshake = schedule.handshake_traffic_secrets(values.octets("ecdhe_shared"))
    yield _derived(schedule, "client_handshake_traffic_secret", "c hs traffic")
    yield same(values, "client_handshake_traffic_secret", handshake.client)
    yield _derived(schedule, "server_handshake_traffic_secret", "s hs traffic")
    yield same(values, "server_handshake_traffic_secret", handshake.server)
    for name in flight:
        schedule.update(values.octets(name))
    server_finished = Finished(schedule.verify_data(handshake.server)).encode()
    yield from _finished(schedule, "server", handshake.server)
    yield same(values, "server_finished", server_finished, message_layout)
    schedule.update(server_finished)
    application = schedule.application_traffic_secrets()
    yield _derived(schedule, "client_application_traffic_secret", "c ap traffic")
    yield same(values, "client_application_traffic_secret", application.client)
    yield _derived(schedule, "server_application_traffic_secret", "s ap traffic")
    yield same(values, "server_application_traffic_secret", application.server)
    yield _derived(schedule, "exporter_master_secret", "exp master")
    yield same(values, "exporter_master_secret", schedule.exporter_secret())


def _derived(schedule: KeySchedule, name: str, label: str) -> Step:
    """Derive-Secret of the present stage, its context being the hash of the transcript so far (RFC 9846 §7.1)."""
    source, context = Input("secret of the stage", schedule.secret), schedule.transcript_hash()
    return expand_label(name, source, label, SUITE.hash_length, SECTION, context, HASH)


def _finished(schedule: KeySchedule, side: str, secret: bytes) -> Iterator[Shown | Step]:
    """What a Finished is made of (RFC 9846 §4.5.3)."""
    source = Input(f"{side}_handshake_traffic_secret", secret)
    yield expand_label("finished_key", source, "finished", SUITE.hash_length, "RFC 9846 §4.5.3", hash_name=HASH)
    transcript_hash = schedule.transcript_hash()
    yield Shown("transcript hash", transcript_hash, "of all messages before; verify_data is its HMAC with finished_key")


def _key_and_iv(values: Values, prefix: str, secret: bytes) -> Checked:
    """The record protection keys, which TLS over TCP would use (RFC 9846 §7.3)."""
    source = Input(f"{prefix}_traffic_secret", secret)
    yield expand_label(f"{prefix}_key", source, "key", SUITE.key_length, "RFC 9846 §7.3", hash_name=HASH)
    yield same(values, f"{prefix}_key", hkdf_expand_label(HASH, secret, "key", b"", SUITE.key_length))
    yield expand_label(f"{prefix}_iv", source, "iv", IV_LENGTH, "RFC 9846 §7.3", hash_name=HASH)
    yield same(values, f"{prefix}_iv", hkdf_expand_label(HASH, secret, "iv", b"", IV_LENGTH))


def _new_session_ticket(values: Values) -> Checked:
    """The message built from its fields, and its fields read from the message."""
    ticket = NewSessionTicket(
        lifetime=values.integer("ticket_lifetime"),
        age_add=values.integer("ticket_age_add"),
        nonce=values.octets("ticket_nonce"),
        ticket=values.octets("ticket"),
        extensions={ExtensionType.EARLY_DATA: values.integer("max_early_data_size").to_bytes(4)},
    )
    yield same(values, "new_session_ticket", ticket.encode(), message_layout)
    parsed = NewSessionTicket.parse(values.octets("new_session_ticket")[MESSAGE_HEADER_LENGTH:])
    yield Comparison("new_session_ticket, parsed", True, parsed == ticket)
    yield same(values, "new_session_ticket", parsed.encode(), message_layout)
