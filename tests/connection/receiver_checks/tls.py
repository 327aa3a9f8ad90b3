"""What a receiver must check (RFC 9001): one test for each row of the list, E70 to E87; the others are next door."""

from __future__ import annotations

from typing import Any

import pytest

from quicmini.config import Config
from quicmini.crypto.protection import Sealer
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.codes import Alert, ExtensionType, HandshakeType
from quicmini.tls.messages import (
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
    ServerHello,
    encode_message,
)
from quicmini.wire.frames import Ack, Crypto, Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.duel import Duel, change_message

Code = TransportErrorCode
INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

ROLES = pytest.mark.parametrize("victim_is_server", [True, False], ids=["server", "client"])

# The message whose extensions a victim reads first, by whether it is a server.
HELLOS: dict[bool, type[Any]] = {True: ClientHello, False: ServerHello}


def handshake(files: CertificateFiles, *, victim_is_server: bool, **options: Any) -> int | None:
    """A handshake whose messages or settings somebody has changed: what the victim says to it."""
    duel = Duel(files, victim_is_server=victim_is_server, space=INITIAL, **options)
    duel.deliver(duel.flight)
    return duel.verdict()


def without(extension: ExtensionType) -> Any:
    """A change of a message: one extension is missing."""
    return lambda message: message._replace(
        extensions={code: content for code, content in message.extensions.items() if code != extension}
    )


@ROLES
@pytest.mark.parametrize("gap", [0, 1000])
def test_e70_crypto_data_at_a_level_that_is_over(
    server_files: CertificateFiles, victim_is_server: bool, gap: int
) -> None:
    """RFC 9001 §4.1.3: even behind a gap; what is sent again is no violation."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=INITIAL if victim_is_server else HANDSHAKE)
    if victim_is_server:  # it has read the ClientHello; the client still has its Initial keys
        duel.deliver(duel.flight)
    received = duel.crypto_offset(INITIAL)
    assert duel.hit(Crypto(received - 1, b"\x00"), space=INITIAL) is None
    assert duel.hit(Crypto(received + gap, b"\x00"), space=INITIAL) == Code.PROTOCOL_VIOLATION


@ROLES
def test_e71_the_next_keys_while_handshake_data_waits(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9001 §4.1.3: what waits behind a gap would never be read."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=INITIAL)
    behind = Crypto(20_000, b"\x00")
    assert duel.hit(behind, space=INITIAL) is None
    duel.deliver(duel.flight)
    assert duel.verdict() == Code.PROTOCOL_VIOLATION


@ROLES
def test_e72_tls_1_2(server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, victim_is_server: bool) -> None:
    """RFC 9001 §4.2: alert protocol_version."""
    change_message(monkeypatch, HELLOS[victim_is_server], without(ExtensionType.SUPPORTED_VERSIONS))
    assert handshake(server_files, victim_is_server=victim_is_server) == 0x0146


def test_e73_a_certificate_is_requested_after_the_handshake(server_files: CertificateFiles) -> None:
    """RFC 9001 §4.4."""
    duel = Duel(server_files, victim_is_server=False)
    request = CertificateRequest(b"context", {ExtensionType.SIGNATURE_ALGORITHMS: b"\x00\x02\x04\x03"}).encode()
    assert duel.hit(Crypto(duel.crypto_offset(), request)) == Code.PROTOCOL_VIOLATION


@pytest.mark.parametrize(
    ("size", "code"), [(2**32 - 2, Code.PROTOCOL_VIOLATION), (0, Code.PROTOCOL_VIOLATION), (2**32 - 1, None)]
)
def test_e74_a_ticket_for_less_early_data(server_files: CertificateFiles, size: int, code: int | None) -> None:
    """RFC 9001 §4.6.1: the transport's own limits count, and only they."""
    duel = Duel(server_files, victim_is_server=False)
    ticket = NewSessionTicket(7200, 0, b"nonce", b"ticket", {ExtensionType.EARLY_DATA: size.to_bytes(4)}).encode()
    assert duel.hit(Crypto(duel.crypto_offset(), ticket)) == code


@ROLES
def test_e76_an_alert_is_fatal(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, victim_is_server: bool
) -> None:
    """RFC 9001 §4.8: the code is 0x0100 plus the alert, here of a Finished that is wrong."""
    count = iter(range(2))  # the server's comes first
    wrong = int(victim_is_server)
    change_message(monkeypatch, Finished, lambda sent: Finished(bytes(32)) if next(count) == wrong else sent)
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE if victim_is_server else INITIAL)
    duel.deliver(duel.flight)
    assert duel.verdict() == 0x0100 + Alert.DECRYPT_ERROR


@ROLES
@pytest.mark.parametrize("space", [HANDSHAKE, APPLICATION])
def test_e77_a_tls_key_update(server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace) -> None:
    """RFC 9001 §6: QUIC has its own."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    update = encode_message(HandshakeType.KEY_UPDATE, b"\x00")
    assert duel.hit(Crypto(duel.crypto_offset(space), update), space=space) == 0x0100 + Alert.UNEXPECTED_MESSAGE


def test_e78_a_second_key_update_before_the_first_is_acknowledged(duel: Duel) -> None:
    """RFC 9001 §6.2."""
    first = _sealer(duel).updated()
    assert duel.hit(Ping(), sealer=first, key_phase=True) is None
    assert duel.hit(Ping(), sealer=first.updated(), key_phase=False) == Code.KEY_UPDATE_ERROR


def test_e79_old_keys_for_an_acknowledgment_of_new_ones(duel: Duel) -> None:
    """RFC 9001 §6.2: to acknowledge the packet, the peer had to open it, and so to follow."""
    duel.victim.update_keys()
    duel.answers()
    sent = core_of(duel.victim).spaces[APPLICATION].next_packet_number - 1
    assert duel.hit(Ack(((sent, sent),), 0)) == Code.KEY_UPDATE_ERROR


def test_e80_old_keys_after_new_ones(duel: Duel) -> None:
    """RFC 9001 §6.4."""
    old = _sealer(duel)
    duel.attacker.update_keys()
    duel.pair.run()
    assert duel.hit(Ping(), sealer=old, key_phase=False) == Code.KEY_UPDATE_ERROR


def test_e81_keys_that_have_protected_enough(duel: Duel) -> None:
    """RFC 9001 §6.6: no packet more; new keys are out of the question, for the last ones are too new (§6.5)."""
    duel.victim.update_keys()
    duel.pair.run()
    sealer = core_of(duel.victim).spaces[APPLICATION].sealer
    assert sealer is not None
    sealer.sealed = sealer.suite.confidentiality_limit - 1
    duel.victim.open_stream(True)
    duel.victim.write_stream(duel.own_uni, b"x")
    answers = duel.answers()
    duel.attacker.receive_datagrams(answers, duel.attacker.remote_address, duel.pair.now)
    for side in (duel.victim, duel.attacker):
        assert side.error is not None
        assert side.error.error_code == Code.AEAD_LIMIT_REACHED
    assert sealer.sealed == sealer.suite.confidentiality_limit


def _sealer(duel: Duel) -> Sealer:
    """What the attacker protects its packets with."""
    sealer = core_of(duel.attacker).spaces[APPLICATION].sealer
    assert sealer is not None
    return sealer


def test_e82_too_many_packets_that_do_not_authenticate(server_files: CertificateFiles) -> None:
    """RFC 9001 §6.6: the limit of ChaCha20-Poly1305, which is the lowest, counted over all keys."""
    duel = Duel(server_files, victim_is_server=True, client_config=Config(cipher_suites=(0x1303,)))
    garbage = b"\x40" + core_of(duel.victim).local_cids.handshake_cid + bytes(40)
    duel.dropped["undecryptable"] = 2**36 - 1
    codes = []
    for _ in range(2):
        duel.deliver([garbage])
        codes.append(duel.verdict())
    assert codes == [None, Code.AEAD_LIMIT_REACHED]


@ROLES
def test_e83_no_application_protocol(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, victim_is_server: bool
) -> None:
    """RFC 9001 §8.1."""
    message = ClientHello if victim_is_server else EncryptedExtensions
    change_message(monkeypatch, message, without(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION))
    assert handshake(server_files, victim_is_server=victim_is_server) == 0x0178


def test_e83_no_application_protocol_in_common(server_files: CertificateFiles) -> None:
    """RFC 9001 §8.1."""
    assert handshake(server_files, victim_is_server=True, client_alpn=("other",)) == 0x0178


@ROLES
def test_e84_no_transport_parameters(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, victim_is_server: bool
) -> None:
    """RFC 9001 §8.2."""
    message = ClientHello if victim_is_server else EncryptedExtensions
    change_message(monkeypatch, message, without(ExtensionType.QUIC_TRANSPORT_PARAMETERS))
    assert handshake(server_files, victim_is_server=victim_is_server) == 0x016D


@pytest.mark.parametrize("space", [HANDSHAKE, APPLICATION])
def test_e85_end_of_early_data(server_files: CertificateFiles, space: PacketNumberSpace) -> None:
    """RFC 9001 §8.3: QUIC does without it."""
    duel = Duel(server_files, victim_is_server=True, space=space)
    message = Crypto(duel.crypto_offset(space), b"\x05\x00\x00\x00")
    assert duel.hit(message, bytes(4), space=space) == 0x0100 + Alert.UNEXPECTED_MESSAGE


def test_e87_a_legacy_session_id(server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9001 §8.4."""
    change_message(monkeypatch, ClientHello, lambda hello: hello._replace(legacy_session_id=bytes(32)))
    assert handshake(server_files, victim_is_server=True) == Code.PROTOCOL_VIOLATION
