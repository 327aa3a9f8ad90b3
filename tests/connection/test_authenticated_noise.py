"""A peer that has the keys and says anything at all: frames with odd values, in any packet, in any order.

Nothing that it says may raise; the victim goes on, or ends with an error of its own, and then falls silent.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import ClassVar

import pytest

from quicmini.connection.connection import Connection
from quicmini.connection.state import Address, ConnectionState
from quicmini.errors import TransportError
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire import frames
from quicmini.wire.frames import FRAMES, Frame
from quicmini.wire.packet import PacketType
from quicmini.wire.varint import MAX_VARINT
from tests.certificates import CertificateFiles
from tests.connection.duel import Duel
from tests.connection.early import Early, forge_early
from tests.connection.pair import CLIENT, Pair

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

NUMBERS = (0, 1, 2, 3, 4, 5, 7, 63, 64, 100, 127, 128, 508, 511, 512, 1000, 16_383, 65_536, 2**20, 2**21, 2**30, 2**32)
HUGE = (2**60, MAX_VARINT - 1, MAX_VARINT)
PACKETS = 40
PLACES: list[Address] = [CLIENT, CLIENT, CLIENT, *(("203.0.113.7", port) for port in range(6))]

LEVELS = [
    (APPLICATION, PacketType.ONE_RTT),
    (HANDSHAKE, PacketType.HANDSHAKE),
    (APPLICATION, PacketType.ONE_RTT),
    (INITIAL, PacketType.INITIAL),
]


class Noise:
    """Frames drawn from a seed. Most of them are good by themselves, so that there is something to be wrong later."""

    def __init__(self, seed: int, *, victim_is_server: bool, packet_type: PacketType) -> None:
        self.rng = random.Random(seed)
        self.victim_is_server = victim_is_server
        self.packet_type = packet_type
        peers, own = (0, 1) if victim_is_server else (1, 0)
        # What the victim may receive on, and send on: the peer's streams, and two that it has opened itself.
        self.receiving: tuple[int, ...] = (peers, peers + 4, peers + 8, peers + 2, peers + 6)
        self.sending: tuple[int, ...] = (peers, peers + 4, peers + 8)
        if packet_type is PacketType.ONE_RTT:
            self.receiving += (own,)
            self.sending += (own, own + 2)

    def number(self) -> int:
        return self.rng.choice(HUGE if self.rng.random() < 0.03 else NUMBERS[: self.rng.choice((6, 12, len(NUMBERS)))])

    def octets(self) -> bytes:
        """All alike: what overlaps must not contradict itself, if not on purpose."""
        return (b"y" if self.odd() else b"x") * self.rng.choice((0, 1, 2, 8, 16, 20, 300))

    def flag(self) -> bool:
        return self.rng.random() < 0.5

    def ack(self) -> Frame:
        ranges: list[tuple[int, int]] = []
        largest = 1000 if self.odd() else 0
        while largest >= 0 and len(ranges) < self.rng.randint(1, 5):
            smallest = max(0, largest - self.rng.randint(0, 4))
            ranges.append((smallest, largest))
            largest = smallest - 2 - self.rng.randint(0, 3)
        ecn = frames.EcnCounts(self.number(), self.number(), self.number()) if self.flag() else None
        return frames.Ack(tuple(ranges), self.number(), ecn)

    def new_connection_id(self) -> Frame:
        number = self.rng.randint(5, 12)
        retire_prior_to = self.rng.randint(0, number) if self.odd() else max(0, number - 2)
        return frames.NewConnectionId(number, retire_prior_to, bytes([number]) * 8, bytes([number]) * 16)

    def odd(self) -> bool:
        """Whether to break a rule that would end most connections at once."""
        return self.rng.random() < 0.02

    def stream_id(self, good: tuple[int, ...]) -> int:
        return self.number() if self.odd() else self.rng.choice(good)

    def frame(self) -> Frame:
        """A frame that may stand in such a packet, and that this peer may send; with exceptions."""
        while True:
            frame = self.rng.choice(self.makers)(self)
            spec = FRAMES[frame.encode()[0]]
            servers = spec.name in ("HANDSHAKE_DONE", "NEW_TOKEN")
            too_early = spec.name == "RETIRE_CONNECTION_ID" and self.packet_type is PacketType.ZERO_RTT
            allowed = self.packet_type in spec.packets and not too_early
            if self.odd() or (allowed and not (servers and self.victim_is_server)):
                return frame

    makers: ClassVar[list[Callable[[Noise], Frame]]] = [
        lambda self: frames.Padding(self.rng.randint(1, 20)),
        lambda self: frames.Ping(),
        lambda self: self.ack(),
        lambda self: frames.ResetStream(self.stream_id(self.receiving), self.number(), self.number()),
        lambda self: frames.StopSending(self.stream_id(self.sending), self.number()),
        lambda self: frames.Crypto(self.number() % 50_000, self.octets() if self.odd() else b""),
        lambda self: frames.NewToken(self.octets() + b"x"),
        lambda self: frames.Stream(self.stream_id(self.receiving), self.number(), self.octets(), self.odd()),
        lambda self: frames.Stream(self.stream_id(self.receiving), 0, self.octets(), self.odd()),
        lambda self: frames.MaxData(self.number()),
        lambda self: frames.MaxStreamData(self.stream_id(self.sending), self.number()),
        lambda self: frames.MaxStreams(self.number(), self.flag()),
        lambda self: frames.DataBlocked(self.number()),
        lambda self: frames.StreamDataBlocked(self.stream_id(self.receiving), self.number()),
        lambda self: frames.StreamsBlocked(self.number(), self.flag()),
        lambda self: self.new_connection_id(),
        lambda self: frames.RetireConnectionId(self.rng.randint(0, 6) if self.odd() else 1),
        lambda self: frames.PathChallenge(self.rng.randbytes(8)),
        lambda self: frames.PathResponse(self.rng.randbytes(8)) if self.odd() else frames.Ping(),
        lambda self: frames.ConnectionClose(self.number(), None, "over") if self.odd() else frames.Ping(),
        lambda self: frames.HandshakeDone(),
        lambda self: frames.Datagram(self.octets()),
    ]

    def payload(self) -> bytes:
        """A packet's frames; now and then something is cut off, or a byte is another."""
        rng = self.rng
        payload = bytearray(b"".join(self.frame().encode() for _ in range(rng.randint(1, 6)))[:1100])
        if rng.random() < 0.02:
            del payload[rng.randrange(len(payload)) :]
        if rng.random() < 0.02 and payload:
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        return bytes(payload)


@pytest.mark.parametrize("victim_is_server", [True, False], ids=["server", "client"])
@pytest.mark.parametrize("seed", range(60))
def test_noise_of_a_peer(server_files: CertificateFiles, seed: int, victim_is_server: bool) -> None:
    space, packet_type = LEVELS[seed % len(LEVELS)]
    noise = Noise(seed, victim_is_server=victim_is_server, packet_type=packet_type)
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    if space is APPLICATION:
        for unidirectional in (False, True):
            stream_id = duel.victim.open_stream(unidirectional)
            assert stream_id is not None
            duel.victim.write_stream(stream_id, bytes(5000), True)
    for _ in range(PACKETS):
        # A client may turn up anywhere (RFC 9000 §9): each place is a path that the server has to look after.
        source = noise.rng.choice(PLACES) if victim_is_server and space is APPLICATION else None
        duel.deliver([duel.forge(noise.payload(), bytes(4), space=space)], source)
        duel.victim.datagrams_to_send(duel.pair.now)
        duel.pair.now += 0.01
        duel.victim.handle_timeout(duel.pair.now)
        while duel.victim.next_event() is not None:
            pass
        if duel.victim.error is not None:
            break
    _comes_to_an_end(duel.victim, duel.pair)


@pytest.mark.parametrize("seed", range(30))
def test_noise_in_early_data(server_files: CertificateFiles, seed: int) -> None:
    """0-RTT packets, before and behind the handshake."""
    noise = Noise(seed, victim_is_server=True, packet_type=PacketType.ZERO_RTT)
    pair = Early(server_files).pair()
    flight = pair.from_client()
    packets = [forge_early(pair, noise.payload() + bytes(4)) for _ in range(PACKETS)]
    split = noise.rng.randrange(PACKETS)
    pair.to_server([*packets[:split], *flight])
    for packet in packets[split:]:
        pair.to_server([packet])
        pair.from_server()
        if pair.server.error is not None:
            break
    _comes_to_an_end(pair.server, pair)


def _comes_to_an_end(victim: Connection, pair: Pair) -> None:
    """Left alone, the victim falls silent: its error is of the kinds that there are."""
    for _ in range(2000):
        victim.datagrams_to_send(pair.now)
        timeout = victim.next_timeout()
        if timeout is None:
            break
        pair.now = max(pair.now, timeout)
        victim.handle_timeout(pair.now)
    error = victim.error
    assert error is not None
    assert victim.state is ConnectionState.TERMINATED
    if isinstance(error, TransportError) and not error.remote:
        assert error.reason
