"""Two stream managers, and the packets between them: what the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from quicmini.streams.events import StreamEvent
from quicmini.streams.manager import StreamManager
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import (
    DataBlocked,
    Frame,
    MaxData,
    MaxStreamData,
    MaxStreams,
    ResetStream,
    StopSending,
    Stream,
    StreamDataBlocked,
    StreamsBlocked,
    parse_frames,
)
from quicmini.wire.transport_parameters import TransportParameters

T = TypeVar("T")


class Exact(list[T]):
    """A list that looks at types, too: MaxData(5) equals DataBlocked(5), as named tuples are tuples."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and list(map(_typed, self)) == list(map(_typed, other))


def _typed(value: object) -> tuple[type, object]:
    return type(value), value


ROOM = 1170  # bytes for frames in a packet of 1200

HANDLERS: dict[type[Frame], Callable[[StreamManager, Any], None]] = {
    Stream: StreamManager.on_stream,
    ResetStream: StreamManager.on_reset_stream,
    StopSending: StreamManager.on_stop_sending,
    MaxData: StreamManager.on_max_data,
    MaxStreamData: StreamManager.on_max_stream_data,
    MaxStreams: StreamManager.on_max_streams,
    DataBlocked: StreamManager.on_data_blocked,
    StreamDataBlocked: StreamManager.on_stream_data_blocked,
    StreamsBlocked: StreamManager.on_streams_blocked,
}


def limits(data: int = 1000, stream: int = 1000, streams: int = 4) -> TransportParameters:
    """The same limit for each kind of stream."""
    return TransportParameters(
        initial_max_data=data,
        initial_max_stream_data_bidi_local=stream,
        initial_max_stream_data_bidi_remote=stream,
        initial_max_stream_data_uni=stream,
        initial_max_streams_bidi=streams,
        initial_max_streams_uni=streams,
    )


def manager(
    *,
    is_client: bool = True,
    local: TransportParameters | None = None,
    remote: TransportParameters | None = None,
    send_buffer_size: int = 1000,
) -> StreamManager:
    """One side, after the handshake."""
    made = StreamManager(is_client=is_client, local=local or limits(), send_buffer_size=send_buffer_size)
    made.set_remote(remote or limits())
    return made


def packet(sender: StreamManager, room: int = ROOM) -> tuple[list[Frame], list[Any]]:
    """The frames of the next packet, and its records."""
    builder = PacketBuilder(room)
    sender.write_frames(builder)
    return parse_frames(builder.payload()), builder.records


def frames(sender: StreamManager, room: int = ROOM) -> Exact[Frame]:
    """The frames of the next packet."""
    return Exact(packet(sender, room)[0])


def deliver(receiver: StreamManager, received: list[Frame]) -> None:
    for frame in received:
        HANDLERS[type(frame)](receiver, frame)


def acknowledge(records: list[Any]) -> None:
    for record in records:
        record[0].on_acked(record)


def lose(records: list[Any]) -> None:
    for record in records:
        record[0].on_lost(record)


def events(of: StreamManager) -> Exact[StreamEvent]:
    """What happened since the last call."""
    happened = Exact(of.events)
    of.events.clear()
    return happened


def exchange(one: StreamManager, other: StreamManager) -> None:
    """Deliver and acknowledge packets both ways until there is nothing more to send."""
    for _ in range(10_000):
        if not (one.has_frames or other.has_frames):
            return
        for sender, receiver in ((one, other), (other, one)):
            sent, records = packet(sender)
            deliver(receiver, sent)
            acknowledge(records)
    raise AssertionError("the exchange does not come to an end")


def pair(send_buffer_size: int = 1000, **limit: int) -> tuple[StreamManager, StreamManager]:
    """A client and a server that grant each other the same limits."""
    granted = limits(**limit)
    return (
        manager(is_client=True, local=granted, remote=granted, send_buffer_size=send_buffer_size),
        manager(is_client=False, local=granted, remote=granted, send_buffer_size=send_buffer_size),
    )
