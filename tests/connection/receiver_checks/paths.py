"""What a receiver must check: the rows about connection IDs and paths (RFC 9000 §5.1, §8.2, §19.15 to §19.18)."""

from __future__ import annotations

import pytest

from quicmini.connection.cids import ACTIVE_CONNECTION_ID_LIMIT, MAX_PENDING_RETIREMENTS, LocalCids
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.frames import (
    Frame,
    NewConnectionId,
    PathResponse,
    RetireConnectionId,
)
from quicmini.wire.varint import MAX_VARINT
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.duel import Duel
from tests.connection.roaming import on_a_narrow_path

Code = TransportErrorCode


def test_e09_more_connection_ids_than_allowed(duel: Duel) -> None:
    """RFC 9000 §5.1.1."""
    codes: list[int | None] = []
    while not codes or codes[-1] is None:
        number = 100 + len(codes)
        codes.append(duel.hit(NewConnectionId(number, 0, b"new ID %d" % number, b"reset token %04d" % number)))
    assert len(codes) <= ACTIVE_CONNECTION_ID_LIMIT
    assert codes[-1] == Code.CONNECTION_ID_LIMIT_ERROR


def test_e10_too_many_connection_ids_to_retire(duel: Duel) -> None:
    """RFC 9000 §5.1.2: more than twice the limit may wait, but not any number."""
    assert MAX_PENDING_RETIREMENTS >= 2 * ACTIVE_CONNECTION_ID_LIMIT
    codes: list[int | None] = []
    while not codes or codes[-1] is None:
        number = 100 + len(codes)
        codes.append(duel.hit(NewConnectionId(number, number, b"ID %05d" % number, b"reset token %04d" % number)))
    assert 2 * ACTIVE_CONNECTION_ID_LIMIT <= len(codes) - 1 <= MAX_PENDING_RETIREMENTS
    assert codes[-1] == Code.CONNECTION_ID_LIMIT_ERROR


def test_e20_no_path_carries_what_it_must(server_files: CertificateFiles) -> None:
    """RFC 9000 §8.2.4: the client has moved to where datagrams of 1200 bytes are lost, and only those."""
    pair = on_a_narrow_path(server_files)
    pair.run(seconds=120.0)
    error = pair.server.error
    assert error is not None
    assert (error.error_code, error.remote) == (Code.NO_VIABLE_PATH, False)


def test_e21_a_stateless_reset_token_twice(duel: Duel) -> None:
    """RFC 9000 §10.3.2: one for each connection ID."""
    token = b"its reset token."
    assert duel.hit(NewConnectionId(7, 7, b"new ID 7", token)) is None
    assert duel.hit(NewConnectionId(8, 7, b"new ID 8", token)) == Code.PROTOCOL_VIOLATION


@pytest.mark.parametrize("length", [0, 21])
def test_e60_new_connection_id_of_a_wrong_length(duel: Duel, length: int) -> None:
    """RFC 9000 §19.15."""
    frame = b"\x18\x01\x00" + bytes([length]) + b"x" * length + bytes(16)
    assert duel.hit(frame) == Code.FRAME_ENCODING_ERROR


def test_e61_new_connection_id_from_a_peer_with_an_empty_one(server_files: CertificateFiles) -> None:
    """RFC 9000 §19.15."""
    duel = Duel(server_files, victim_is_server=True)
    core_of(duel.victim).remote_cids.replace_handshake_cid(b"")
    duel.deliver([duel.forge(NewConnectionId(1, 0, b"new ID", bytes(16)))])
    error = duel.victim.error
    assert error is not None
    assert error.error_code == Code.PROTOCOL_VIOLATION


CONTRADICTIONS = [
    NewConnectionId(7, 0, b"a new ID", b"another token..."),
    NewConnectionId(8, 0, b"a new ID", b"its reset token."),
    NewConnectionId(7, 0, b"other ID", b"its reset token."),
]


@pytest.mark.parametrize("frame", CONTRADICTIONS, ids=["another token", "another number", "another ID"])
def test_e62_new_connection_id_contradicts_an_earlier_one(duel: Duel, frame: Frame) -> None:
    """RFC 9000 §19.15."""
    assert duel.hit(NewConnectionId(7, 7, b"a new ID", b"its reset token.")) is None
    assert duel.hit(frame) == Code.PROTOCOL_VIOLATION


def test_e63_retire_prior_to_above_the_sequence_number(duel: Duel) -> None:
    """RFC 9000 §19.15."""
    assert duel.hit(b"\x18\x05\x06\x08" + bytes(24)) == Code.FRAME_ENCODING_ERROR


@pytest.mark.parametrize("number", [1000, MAX_VARINT])
def test_e64_retire_connection_id_that_was_never_issued(duel: Duel, number: int) -> None:
    """RFC 9000 §19.16."""
    assert duel.hit(RetireConnectionId(number)) == Code.PROTOCOL_VIOLATION


def test_e65_retire_connection_id_of_the_packet_itself(duel: Duel) -> None:
    """RFC 9000 §19.16."""
    assert duel.hit(RetireConnectionId(0)) == Code.PROTOCOL_VIOLATION


def test_e66_retire_connection_id_when_it_is_empty() -> None:
    """RFC 9000 §19.16: the IDs of this side never are, so that it takes a made-up issuer."""
    cids = LocalCids(EmptyIds())
    with pytest.raises(TransportError) as caught:
        cids.on_retire(RetireConnectionId(0))
    assert caught.value.error_code == Code.PROTOCOL_VIOLATION


class EmptyIds:
    def issue(self) -> bytes:
        return b""

    def token(self, cid: bytes) -> bytes:
        return bytes(16)

    def withdraw(self, cid: bytes) -> None:
        raise AssertionError("there is nothing to withdraw")


def test_e67_an_answer_to_no_path_challenge(duel: Duel) -> None:
    """RFC 9000 §19.18."""
    assert duel.hit(PathResponse(b"12345678")) == Code.PROTOCOL_VIOLATION
