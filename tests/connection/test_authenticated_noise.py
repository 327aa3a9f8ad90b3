"""A peer that has the keys and says anything at all: frames with odd values, in any packet, in any order.

Nothing that it says may raise; the victim goes on, or ends with an error of its own, and then falls silent.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from quicmini.connection.state import ConnectionState
from quicmini.errors import TransportError
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire import frames
from quicmini.wire.frames import Frame
from quicmini.wire.varint import MAX_VARINT
from tests.certificates import CertificateFiles
from tests.connection.duel import Duel

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

NUMBERS = (0, 1, 2, 3, 4, 5, 7, 63, 64, 100, 127, 128, 508, 511, 512, 1000, 16_383, 65_536, 2**20, 2**21, 2**30, 2**32)
HUGE = (2**60, MAX_VARINT - 1, MAX_VARINT)
PACKETS = 40


class Noise:
    """Frames drawn from a seed: most of them with small numbers, so that some of them are good."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def number(self) -> int:
        return self.rng.choice(HUGE if self.rng.random() < 0.03 else NUMBERS[: self.rng.choice((6, 12, len(NUMBERS)))])

    def octets(self, most: int = 300) -> bytes:
        return self.rng.randbytes(self.rng.choice((0, 1, 2, 8, 16, 20, most)))

    def flag(self) -> bool:
        return self.rng.random() < 0.5

    def ack(self) -> Frame:
        ranges: list[tuple[int, int]] = []
        largest = self.rng.choice((0, 1, 2, 5, 10, 20, 40))
        while largest >= 0 and len(ranges) < self.rng.randint(1, 5):
            smallest = max(0, largest - self.rng.randint(0, 4))
            ranges.append((smallest, largest))
            largest = smallest - 2 - self.rng.randint(0, 3)
        ecn = frames.EcnCounts(self.number(), self.number(), self.number()) if self.flag() else None
        return frames.Ack(tuple(ranges), self.number(), ecn)

    def new_connection_id(self) -> Frame:
        number = self.rng.randint(0, 12)
        cid = bytes([number]) * self.rng.choice((1, 8, 8, 8, 20))
        return frames.NewConnectionId(number, self.rng.randint(0, number), cid, bytes([number]) * 16)

    def frame(self) -> Frame:
        n, rng = self.number, self.rng
        # A stream that somebody has, more often than not; the lowest bits say whose it is.
        stream_id = rng.choice((0, 1, 2, 3, 4, 5, 8, 12, n(), n()))
        makers: list[Callable[[], Frame]] = [
            lambda: frames.Padding(rng.randint(1, 20)),
            lambda: frames.Ping(),
            self.ack,
            lambda: frames.ResetStream(stream_id, n(), n()),
            lambda: frames.StopSending(stream_id, n()),
            lambda: frames.Crypto(n(), self.octets()),
            lambda: frames.NewToken(self.octets() + b"x"),
            lambda: frames.Stream(stream_id, n(), self.octets(), self.flag()),
            lambda: frames.Stream(stream_id, 0, self.octets(), self.flag()),
            lambda: frames.MaxData(n()),
            lambda: frames.MaxStreamData(stream_id, n()),
            lambda: frames.MaxStreams(n(), self.flag()),
            lambda: frames.DataBlocked(n()),
            lambda: frames.StreamDataBlocked(stream_id, n()),
            lambda: frames.StreamsBlocked(n(), self.flag()),
            self.new_connection_id,
            lambda: frames.RetireConnectionId(rng.randint(0, 6)),
            lambda: frames.PathChallenge(rng.randbytes(8)),
            lambda: frames.PathResponse(rng.randbytes(8)),
            lambda: frames.ConnectionClose(n(), rng.choice((None, n())), rng.choice(("", "over", "ü" * 50))),
            lambda: frames.HandshakeDone(),
            lambda: frames.Datagram(self.octets()),
        ]
        # Those that end it in most cases come seldom: there is more to see before.
        rare = (5, 18, 19)
        weights = [0.1 if index in rare else 1.0 for index in range(len(makers))]
        return rng.choices(makers, weights)[0]()

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
    noise = Noise(seed)
    space = noise.rng.choice((INITIAL, HANDSHAKE, APPLICATION, APPLICATION, APPLICATION))
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    if space is APPLICATION:
        for unidirectional in (False, True):
            stream_id = duel.victim.open_stream(unidirectional)
            assert stream_id is not None
            duel.victim.write_stream(stream_id, bytes(5000), True)
    for _ in range(PACKETS):
        duel.deliver([duel.forge(noise.payload(), bytes(4), space=space)])
        duel.answers()
        duel.pair.now += 0.01
        duel.victim.handle_timeout(duel.pair.now)
        while duel.victim.next_event() is not None:
            pass
        if duel.victim.error is not None:
            break
    _falls_silent(duel)


def _falls_silent(duel: Duel) -> None:
    """Left alone, the victim comes to an end: its error is of the kinds that there are."""
    for _ in range(2000):
        duel.answers()
        timeout = duel.victim.next_timeout()
        if timeout is None:
            break
        duel.pair.now = max(duel.pair.now, timeout)
        duel.victim.handle_timeout(duel.pair.now)
    error = duel.victim.error
    assert error is not None
    assert duel.victim.state is ConnectionState.TERMINATED
    if isinstance(error, TransportError) and not error.remote:
        assert error.reason
