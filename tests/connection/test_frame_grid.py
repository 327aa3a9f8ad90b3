"""Which frame may stand in which packet, cell by cell: 4 packet types by 21 frames (RFC 9000 §12.4, Table 3)."""

from __future__ import annotations

import pytest

from quicmini.connection.connection import Connection
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import (
    FRAMES,
    Ack,
    ConnectionClose,
    Crypto,
    DataBlocked,
    Datagram,
    Frame,
    HandshakeDone,
    MaxData,
    MaxStreamData,
    MaxStreams,
    NewConnectionId,
    NewToken,
    Padding,
    PathChallenge,
    PathResponse,
    Ping,
    ResetStream,
    RetireConnectionId,
    StopSending,
    Stream,
    StreamDataBlocked,
    StreamsBlocked,
)
from tests.certificates import CertificateFiles
from tests.connection.duel import Duel
from tests.connection.early import Early, forge_early

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

# The columns "Frame Type Name" and "Pkts" of Table 3, copied by hand. Where the frame may stand, it must not be wrong
# for another reason, either; the client reads it, but for 0-RTT packets, which only a server does.
TABLE_3: list[tuple[Frame, str]] = [
    (Padding(3), "IH01"),
    (Ping(), "IH01"),
    (Ack(((0, 0),), 0), "IH_1"),
    (ResetStream(1, 0, 0), "__01"),
    (StopSending(1, 0), "__01"),
    (Crypto(0, b""), "IH_1"),
    (NewToken(b"token"), "___1"),
    (Stream(1, 0, b"x", False), "__01"),
    (MaxData(1), "__01"),
    (MaxStreamData(1, 1), "__01"),
    (MaxStreams(1, True), "__01"),
    (DataBlocked(1), "__01"),
    (StreamDataBlocked(1, 1), "__01"),
    (StreamsBlocked(1, True), "__01"),
    (NewConnectionId(7, 0, b"12345678", b"its reset token."), "__01"),
    (RetireConnectionId(1), "__01"),
    (PathChallenge(bytes(8)), "__01"),
    (PathResponse(bytes(8)), "___1"),
    (ConnectionClose(0, 0, ""), "IH01"),
    (ConnectionClose(0, None, ""), "__01"),
    (HandshakeDone(), "___1"),
]
# RFC 9221 §4, which came later, and the other types of frames that have several.
MORE: list[tuple[Frame, str]] = [
    (Datagram(b"x"), "__01"),
    (MaxStreams(1, False), "__01"),
    (StreamsBlocked(1, False), "__01"),
]
SPACES = {"I": INITIAL, "H": HANDSHAKE, "1": APPLICATION}

Cells = list[tuple[Frame, str, bool]]


def cells(table: list[tuple[Frame, str]]) -> Cells:
    return [(frame, packet, packet in packets) for frame, packets in table for packet in "IH01"]


def test_the_grid_has_84_cells() -> None:
    assert len(cells(TABLE_3)) == 84
    assert len({(frame.encode()[0], packet) for frame, packet, _ in cells(TABLE_3)}) == 84


@pytest.mark.parametrize(("frame", "packet", "allowed"), cells(TABLE_3), ids=repr)
def test_table_3(server_files: CertificateFiles, frame: Frame, packet: str, allowed: bool) -> None:
    _check(server_files, frame, packet, allowed=allowed)


@pytest.mark.parametrize(("frame", "packet", "allowed"), cells(MORE), ids=repr)
def test_more_frames(server_files: CertificateFiles, frame: Frame, packet: str, allowed: bool) -> None:
    _check(server_files, frame, packet, allowed=allowed)


def _check(files: CertificateFiles, frame: Frame, packet: str, *, allowed: bool) -> None:
    """The packet is read by a connection, which refuses it for just this reason, or does not."""
    victim = _early_victim(files, frame) if packet == "0" else _victim(files, frame, SPACES[packet])
    error = victim.error
    refused = error is not None and "wrong type of packet" in error.reason
    assert refused == (not allowed)
    if error is not None and refused:
        assert (error.error_code, error.frame_type) == (TransportErrorCode.PROTOCOL_VIOLATION, frame.encode()[0])
    assert victim.stats().packets_dropped == {}


def _victim(files: CertificateFiles, frame: Frame, space: PacketNumberSpace) -> Connection:
    """A client that has read the packet."""
    duel = Duel(files, victim_is_server=False, space=space)
    duel.deliver([duel.forge(frame, bytes(4), space=space)])
    return duel.victim


def _early_victim(files: CertificateFiles, frame: Frame) -> Connection:
    """A server that has read the 0-RTT packet."""
    pair = Early(files).pair()
    pair.to_server([*pair.from_client(), forge_early(pair, frame.encode() + bytes(4))])
    return pair.server


def test_the_grid_knows_every_frame_type() -> None:
    variants = {0x03, *range(0x08, 0x10), 0x30}  # of ACK, STREAM and DATAGRAM
    assert {frame.encode()[0] for frame, _ in TABLE_3 + MORE} | variants == set(FRAMES)
