"""A packet number space, and what is left of it when its keys are discarded (RFC 9000 §12.3, RFC 9001 §4.9)."""

from __future__ import annotations

import pytest

from quicmini.connection.spaces import Space
from quicmini.crypto.keys import INITIAL_SUITE
from quicmini.crypto.protection import Opener, Sealer
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import Crypto
from quicmini.wire.packet import VERSION_1, PacketType

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace


@pytest.mark.parametrize(
    ("number", "packet_type"),
    [(INITIAL, PacketType.INITIAL), (HANDSHAKE, PacketType.HANDSHAKE), (APPLICATION, PacketType.ONE_RTT)],
)
def test_each_space_has_its_type_of_packet(number: PacketNumberSpace, packet_type: PacketType) -> None:
    assert Space(number, 0.025).packet_type is packet_type


@pytest.mark.parametrize(("number", "deadline"), [(INITIAL, 1.0), (HANDSHAKE, 1.0), (APPLICATION, 1.025)])
def test_only_application_data_may_wait_for_its_ack(number: PacketNumberSpace, deadline: float) -> None:
    """RFC 9000 §13.2.1."""
    space = Space(number, 0.025)
    space.acks.on_packet_received(0, True, 1.0)
    assert space.acks.deadline == deadline


def space_with_keys() -> Space:
    space = Space(HANDSHAKE, 0.025)
    space.sealer = Sealer(INITIAL_SUITE, bytes(32), VERSION_1)
    space.opener = Opener(INITIAL_SUITE, bytes(32), VERSION_1)
    return space


def test_nothing_is_left_to_say_after_discarding() -> None:
    space = space_with_keys()
    space.acks.on_packet_received(0, True, 1.0)
    space.crypto.send(b"hello")
    space.crypto.receive(Crypto(5, b"behind a gap"))
    space.discard()
    assert space.discarded
    assert space.sealer is None
    assert space.opener is None
    assert space.acks.deadline is None
    assert not space.acks.pending
    assert not space.crypto.has_frames
    space.crypto.finish()  # nothing waits behind a gap
