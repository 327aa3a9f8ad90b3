"""Which owner a frame belongs to: RFC 9000 §12.4 Table 3 as one lookup for each packet type.

`DISPATCH[packet_type][frame_type]` is (parse, handle, ack_eliciting), or None where the frame may not stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quicmini.connection.core import Core
from quicmini.connection.events import NewTokenReceived
from quicmini.connection.first_flight import MAX_TOKEN_LENGTH
from quicmini.connection.handshake import Handshake
from quicmini.connection.lifecycle import error_of
from quicmini.connection.migration import Migration
from quicmini.connection.spaces import Space
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.streams.manager import StreamManager
from quicmini.wire.frames import (
    FRAMES,
    Ack,
    ConnectionClose,
    Crypto,
    Datagram,
    Frame,
    HandshakeDone,
    NewConnectionId,
    NewToken,
    PathChallenge,
    PathResponse,
    RetireConnectionId,
    Stream,
    parse_frame_type,
)
from quicmini.wire.packet import PacketType

__all__ = ["DISPATCH", "MAX_TOKENS", "ON_OTHER_PATH", "FrameHandlers", "refuse_frame"]

# NEW_TOKEN frames of one connection that are passed on; RFC 9000 §8.1.3 lets a server send any number of them.
MAX_TOKENS = 8


# Bound once: looking up a member of an enumeration costs as much as a small call.
_APPLICATION = PacketNumberSpace.APPLICATION


class FrameHandlers:
    """Hands each frame to its owner. Every handler takes the frame, its packet number space and the time.

    non_probing: set by each frame that does more than probe a path, in packets of ON_OTHER_PATH (RFC 9000 §9.1).
    """

    __slots__ = ("_core", "_handshake", "_migration", "_tokens_taken", "non_probing", "streams")

    def __init__(self, core: Core, handshake: Handshake, migration: Migration) -> None:
        self._core = core
        self._handshake = handshake
        self._migration = migration
        self.non_probing = False
        self._tokens_taken = 0
        self.streams = core.streams

    def ignore(self, frame: Frame, space: Space, now: float) -> None:
        """PADDING and PING mean nothing further (RFC 9000 §19.1, §19.2)."""

    def ack(self, frame: Ack, space: Space, now: float) -> None:
        core = self._core
        delay = 0.0
        if space.number is _APPLICATION:
            if core.key_phases.reads_old:
                core.key_phases.check_ack(frame.ranges[0][1])
            if core.early is not None:
                core.early.check_ack(frame.ranges[-1][0])
            delay = (frame.ack_delay << core.recovery.ack_delay_exponent) / 1_000_000
        acked, lost = core.recovery.on_ack_received(space.number, frame, delay, now)
        core.ecn.on_ack(space.number, frame, acked, now)
        if core.mtu.suspected:
            core.mtu.on_packets_acked(acked)
        for packet in acked:
            for record in packet.records:
                record[0].on_acked(record)
        if lost:
            core.give_back_lost(lost)

    def early_stream(self, frame: Stream, space: Space, now: float) -> None:
        """STREAM in a 0-RTT packet: within the remembered limits, and perhaps a replay (RFC 9001 §9.2)."""
        early = self._core.early
        if early is None:
            return
        early.check_limits(frame.stream_id, frame.offset + len(frame.data), 0x08)
        if self._handshake.complete:  # other data has come since, under today's limits
            self.streams.on_stream(frame)
        else:
            early.streams.add(frame.stream_id)
            self.streams.on_stream(frame)
            early.check_total(self.streams.received, 0x08)

    def crypto(self, frame: Crypto, space: Space, now: float) -> None:
        self._handshake.on_crypto(space.number, frame, self._core.now)

    def new_token(self, frame: NewToken, space: Space, now: float) -> None:
        """A token for a later connection (RFC 9000 §8.1.3): whoever opens it keeps it until then."""
        core = self._core
        if not core.is_client:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "a client sent NEW_TOKEN", 0x07)
        if self._tokens_taken < MAX_TOKENS and len(frame.token) <= MAX_TOKEN_LENGTH:
            self._tokens_taken += 1
            core.events.append(NewTokenReceived(frame.token, core.version))

    def new_connection_id(self, frame: NewConnectionId, space: Space, now: float) -> None:
        self._core.remote_cids.on_new(frame)
        self._migration.on_new_cid()

    def retire_connection_id(self, frame: RetireConnectionId, space: Space, now: float) -> None:
        self._core.local_cids.on_retire(frame)

    def early_retirement(self, frame: RetireConnectionId, space: Space, now: float) -> None:
        """RFC 9000 §12.5: Table 3 allows it in 0-RTT packets, but nothing can have been issued to retire."""
        raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "an ID was retired in early data", 0x19)

    def path_challenge(self, frame: PathChallenge, space: Space, now: float) -> None:
        self._migration.on_challenge(frame)

    def path_response(self, frame: PathResponse, space: Space, now: float) -> None:
        self._migration.on_response(frame, now)

    def connection_close(self, frame: ConnectionClose, space: Space, now: float) -> None:
        self._core.drain(error_of(frame), self._core.now)

    def handshake_done(self, frame: HandshakeDone, space: Space, now: float) -> None:
        if not self._core.is_client:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "a client sent HANDSHAKE_DONE", 0x1E)
        self._handshake.confirm()

    def datagram(self, frame: Datagram, space: Space, now: float) -> None:
        self._core.datagrams.on_datagram(frame)


_Parse = Callable[[bytes, int, int], tuple[Any, int]]
_Handle = Callable[[FrameHandlers, Any, Space, float], None]
_Entry = tuple[_Parse, _Handle, bool]


def _for_streams(take: Callable[[StreamManager, Any], None]) -> _Handle:
    """These go to the streams as they are: neither the packet nor the time matters to them."""

    def handle(handlers: FrameHandlers, frame: Any, space: Space, now: float) -> None:
        take(handlers.streams, frame)

    return handle


# Where a frame means something else in a 0-RTT packet.
_EARLY_HANDLERS: dict[str, _Handle] = {
    "STREAM": FrameHandlers.early_stream,
    "RETIRE_CONNECTION_ID": FrameHandlers.early_retirement,
}

_HANDLERS: dict[str, _Handle] = {
    "PADDING": FrameHandlers.ignore,
    "PING": FrameHandlers.ignore,
    "ACK": FrameHandlers.ack,
    "RESET_STREAM": _for_streams(StreamManager.on_reset_stream),
    "STOP_SENDING": _for_streams(StreamManager.on_stop_sending),
    "CRYPTO": FrameHandlers.crypto,
    "NEW_TOKEN": FrameHandlers.new_token,
    "STREAM": _for_streams(StreamManager.on_stream),
    "MAX_DATA": _for_streams(StreamManager.on_max_data),
    "MAX_STREAM_DATA": _for_streams(StreamManager.on_max_stream_data),
    "MAX_STREAMS": _for_streams(StreamManager.on_max_streams),
    "DATA_BLOCKED": _for_streams(StreamManager.on_data_blocked),
    "STREAM_DATA_BLOCKED": _for_streams(StreamManager.on_stream_data_blocked),
    "STREAMS_BLOCKED": _for_streams(StreamManager.on_streams_blocked),
    "NEW_CONNECTION_ID": FrameHandlers.new_connection_id,
    "RETIRE_CONNECTION_ID": FrameHandlers.retire_connection_id,
    "PATH_CHALLENGE": FrameHandlers.path_challenge,
    "PATH_RESPONSE": FrameHandlers.path_response,
    "CONNECTION_CLOSE": FrameHandlers.connection_close,
    "HANDSHAKE_DONE": FrameHandlers.handshake_done,
    "DATAGRAM": FrameHandlers.datagram,
}


def _entries(packet_type: PacketType) -> list[_Entry | None]:
    """A list with a place for each first byte: for all types known here that byte is the whole type."""
    entries: list[_Entry | None] = [None] * 256
    for frame_type, spec in FRAMES.items():
        if packet_type in spec.packets:
            handle = _HANDLERS[spec.name]
            if packet_type is PacketType.ZERO_RTT:
                handle = _EARLY_HANDLERS.get(spec.name, handle)
            entries[frame_type] = (spec.parse, handle, spec.ack_eliciting)
    return entries


def _noted(handle: _Handle) -> _Handle:
    def note(handlers: FrameHandlers, frame: Any, space: Space, now: float) -> None:
        handlers.non_probing = True
        handle(handlers, frame, space, now)

    return note


def _noting_entries() -> list[_Entry | None]:
    """Those of 1-RTT packets; whatever is no probing frame is noted. All others are spared that work."""
    entries = _entries(PacketType.ONE_RTT)
    for frame_type, spec in FRAMES.items():
        entry = entries[frame_type]
        if entry is not None and not spec.probing:
            entries[frame_type] = (entry[0], _noted(entry[1]), entry[2])
    return entries


# Instead of a packet type: a 1-RTT packet that has not come on the path in use.
ON_OTHER_PATH = "on another path"

DISPATCH: dict[PacketType | str, list[_Entry | None]] = {
    packet_type: _entries(packet_type)
    for packet_type in (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.ONE_RTT)
}
DISPATCH[ON_OTHER_PATH] = _noting_entries()


def refuse_frame(payload: bytes, pos: int) -> TransportError:
    """The error for a frame without an entry: unknown, or not permitted in its packet (RFC 9000 §12.4)."""
    frame_type, _ = parse_frame_type(payload, pos)
    if frame_type in FRAMES:
        name = FRAMES[frame_type].name
        return TransportError(TransportErrorCode.PROTOCOL_VIOLATION, f"{name} in the wrong type of packet", frame_type)
    return TransportError(TransportErrorCode.FRAME_ENCODING_ERROR, "unknown frame type", frame_type)
