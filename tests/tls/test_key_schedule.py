"""The key schedule against RFC 8448 (§3 with a certificate, §4 with a pre-shared key)."""

from __future__ import annotations

import hashlib

import vectors
from quicmini.crypto.hkdf import hkdf_expand_label
from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.tls.key_schedule import SERVER_CONTEXT, KeySchedule, certificate_verify_content, resumption_psk
from quicmini.tls.messages import ClientHello
from quicmini.tls.psk import OfferedPsks

SUITE = CIPHER_SUITES[0x1301]


def test_a_simple_handshake() -> None:
    values = vectors.load("rfc8448-3-simple-1rtt").values
    schedule = KeySchedule(SUITE)
    assert schedule.secret == values.octets("early_secret")
    assert schedule.salt == values.octets("derived_for_handshake")

    schedule.update(values.octets("client_hello"))
    schedule.update(values.octets("server_hello"))
    handshake = schedule.handshake_traffic_secrets(values.octets("ecdhe_shared"))
    assert schedule.secret == values.octets("handshake_secret")
    assert handshake.client == values.octets("client_handshake_traffic_secret")
    assert handshake.server == values.octets("server_handshake_traffic_secret")

    for message in ("encrypted_extensions", "certificate", "certificate_verify"):
        schedule.update(values.octets(message))
    assert schedule.verify_data(handshake.server) == values.octets("server_finished")[4:]
    schedule.update(values.octets("server_finished"))
    application = schedule.application_traffic_secrets()
    assert schedule.salt == values.octets("derived_for_master")
    assert schedule.secret == values.octets("master_secret")
    assert application.client == values.octets("client_application_traffic_secret")
    assert application.server == values.octets("server_application_traffic_secret")
    assert schedule.exporter_secret() == values.octets("exporter_master_secret")

    assert schedule.verify_data(handshake.client) == values.octets("client_finished")[4:]
    schedule.update(values.octets("client_finished"))
    resumption = schedule.resumption_secret()
    assert resumption == values.octets("resumption_master_secret")
    assert resumption_psk(SUITE, resumption, values.octets("ticket_nonce")) == values.octets("resumption_psk")


def test_a_resumed_handshake() -> None:
    values = vectors.load("rfc8448-4-resumed-0rtt").values
    schedule = KeySchedule(SUITE, values.octets("psk"))
    assert schedule.secret == values.octets("early_secret")
    assert schedule.derive_secret("res binder") == values.octets("binder_key")
    client_hello = values.octets("client_hello")
    binders_size = OfferedPsks.parse(ClientHello.parse(client_hello[4:]).extensions[41]).binders_size
    assert schedule.binder(client_hello[:-binders_size]) == values.octets("binder")
    schedule.update(client_hello)
    assert schedule.early_traffic_secret() == values.octets("client_early_traffic_secret")
    assert schedule.derive_secret("e exp master") == values.octets("early_exporter_master_secret")
    schedule.update(values.octets("server_hello"))
    handshake = schedule.handshake_traffic_secrets(values.octets("ecdhe_shared"))
    assert schedule.secret == values.octets("handshake_secret")
    assert handshake.client == values.octets("client_handshake_traffic_secret")
    assert handshake.server == values.octets("server_handshake_traffic_secret")
    schedule.update(values.octets("encrypted_extensions"))
    assert schedule.verify_data(handshake.server) == values.octets("server_finished")[4:]
    schedule.update(values.octets("server_finished"))
    application = schedule.application_traffic_secrets()
    assert schedule.secret == values.octets("master_secret")
    assert application.client == values.octets("client_application_traffic_secret")
    assert application.server == values.octets("server_application_traffic_secret")
    assert schedule.exporter_secret() == values.octets("exporter_master_secret")


def test_sha_384_makes_longer_secrets() -> None:
    schedule = KeySchedule(CIPHER_SUITES[0x1302])
    secrets = schedule.handshake_traffic_secrets(bytes(32))
    assert {len(secrets.client), len(secrets.server), len(schedule.verify_data(secrets.client))} == {48}


def test_the_transcript_after_a_hello_retry_request() -> None:
    """RFC 9846 §4.1: message_hash, its length, the hash of ClientHello1, then the rest."""
    schedule = KeySchedule(SUITE)
    schedule.update(b"the first ClientHello")
    schedule.replace_by_message_hash()
    schedule.update(b"the request")
    first = hashlib.sha256(b"the first ClientHello").digest()
    assert schedule.transcript_hash() == hashlib.sha256(b"\xfe\0\0\x20" + first + b"the request").digest()


def test_what_a_certificate_verify_signs() -> None:
    """The example of RFC 9846 §4.5.2."""
    expected = bytes.fromhex(
        "2020202020202020202020202020202020202020202020202020202020202020"
        "2020202020202020202020202020202020202020202020202020202020202020"
        "544c5320312e332c207365727665722043657274696669636174655665726966"
        "79000101010101010101010101010101010101010101010101010101010101010101"
    )
    assert certificate_verify_content(SERVER_CONTEXT, b"\1" * 32) == expected


def test_the_early_secret_is_what_the_labels_say() -> None:
    schedule = KeySchedule(SUITE)
    empty = hashlib.sha256().digest()
    assert schedule.salt == hkdf_expand_label("sha256", schedule.secret, "derived", empty, 32)
