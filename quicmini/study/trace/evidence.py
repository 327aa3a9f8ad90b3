"""Whether a phenomenon was there: each function says in a sentence where it shows in the events, or None."""

from __future__ import annotations

from quicmini.connection import occurrences as told
from quicmini.study.link.recorder import Record
from quicmini.study.trace.rows import CLIENT, Fate
from quicmini.study.trace.takes import Take
from quicmini.wire.frames import Frame, PathChallenge, PathResponse, Stream, parse_frames
from quicmini.wire.packet import PacketType

__all__ = [
    "early_data_taken",
    "keys_updated",
    "lost_and_sent_again",
    "path_validated",
    "token_echoed",
    "version_negotiated",
]


def lost_and_sent_again(take: Take) -> str | None:
    """Data of a packet that did not arrive, and that its sender took for lost, arrived with a later one."""
    for packet in take.packets(CLIENT):
        for span, first in packet.again:
            if (
                first.fate is Fate.LOST
                and first.declared_lost
                and packet.arrival is not None
                and span.stream is not None
            ):
                return f"{first.name} was lost; its data, {span}, was sent again in {packet.name}, and arrived."
    return None


def token_echoed(take: Take) -> str | None:
    """The client's next Initial packet carries the Retry packet's token; then the handshake is completed."""
    token = b""
    for _, occurrence in take.client.occurrences:
        if isinstance(occurrence, told.PacketReceived) and occurrence.header.packet_type is PacketType.RETRY:
            token = occurrence.header.token
        elif token and isinstance(occurrence, told.PacketSent) and occurrence.header.packet_type is PacketType.INITIAL:
            if occurrence.header.token != token or not _confirmed(take.server):
                return None
            number = occurrence.header.packet_number
            return (
                f"the Retry packet's token, {len(token)} bytes, came back in Initial {number}; the rest went as usual."
            )
    return None


def early_data_taken(take: Take) -> str | None:
    """The client sent data before anything had come from the server, and the server has read it."""
    sent: set[int | None] = set()
    for _, occurrence in take.client.occurrences:
        if isinstance(occurrence, told.PacketReceived):
            break
        if isinstance(occurrence, told.PacketSent) and _is_early_data(occurrence):
            sent.add(occurrence.header.packet_number)
    came = {
        packet.header.packet_number
        for packet in take.server.of(told.PacketReceived)
        if packet.header.packet_type is PacketType.ZERO_RTT
    }
    resumed = any(choice.resumed for choice in take.client.of(told.ApplicationProtocolChosen))
    if not sent or not sent <= came or not resumed:
        return None
    names = ", ".join(f"0RTT {number}" for number in sorted(number for number in sent if number is not None))
    return f"{names} had stream data and left before a single byte had come back; the server has taken it."


def path_validated(take: Take) -> str | None:
    """The server uses another address of the client, from where its PATH_CHALLENGE was answered."""
    challenged = {frame.data for frame in _frames(take.server, told.PacketSent) if isinstance(frame, PathChallenge)}
    answered = {frame.data for frame in _frames(take.server, told.PacketReceived) if isinstance(frame, PathResponse)}
    changes = take.server.of(told.PathChanged)
    confirmed = challenged & answered
    if not changes or not confirmed:
        return None
    host, port = changes[-1].remote[:2]
    data = min(confirmed).hex()
    return f"the server sends to {host}:{port} now, from where PATH_CHALLENGE {data} was answered."


def keys_updated(take: Take) -> str | None:
    """Both directions have gone from key phase 0 to 1, at the client's wish."""
    updates = [[update.by_peer for update in record.of(told.KeysUpdated)] for record in (take.client, take.server)]
    if updates != [[False], [True]]:
        return None
    firsts = []
    for receiver in (take.server, take.client):
        phases = [
            (packet.header.key_phase, packet.header.packet_number)
            for packet in receiver.of(told.PacketReceived)
            if packet.header.packet_type is PacketType.ONE_RTT
        ]
        numbers = [number for phase, number in phases if phase == 1]
        if not numbers or not any(phase == 0 for phase, _ in phases):
            return None
        firsts.append(numbers[0])
    there, back = firsts
    return f"the client's 1RTT {there} was the first with new keys, and the server's 1RTT {back} followed it."


def version_negotiated(take: Take) -> str | None:
    """A Version Negotiation packet has come, and the connection was made with a version that it offers."""
    offers = [packet for packet in take.client.of(told.PacketReceived) if packet.versions]
    versions = [
        packet.header.version
        for packet in take.client.of(told.PacketSent)
        if packet.header.packet_type is PacketType.INITIAL
    ]
    if not offers or not versions or versions[0] in offers[0].versions or versions[-1] not in offers[0].versions:
        return None
    if not _confirmed(take.server):
        return None
    return (
        f"the client began with version {versions[0]:#010x}, and went on with {versions[-1]:#010x}, which was offered."
    )


def _is_early_data(packet: told.PacketSent) -> bool:
    is_early = packet.header.packet_type is PacketType.ZERO_RTT
    return is_early and any(isinstance(frame, Stream) for frame in parse_frames(packet.payload))


def _confirmed(record: Record) -> bool:
    return any(change.new is told.Phase.CONFIRMED for change in record.of(told.PhaseChanged))


def _frames(record: Record, kind: type[told.PacketSent] | type[told.PacketReceived]) -> list[Frame]:
    return [frame for packet in record.of(kind) if packet.payload for frame in parse_frames(packet.payload)]
