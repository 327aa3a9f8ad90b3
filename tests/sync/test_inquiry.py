"""Servers asked for their versions, without a connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from quicmini import Config, Listener
from quicmini.config import KNOWN_VERSIONS
from quicmini.sync import inquiry
from quicmini.sync.inquiry import SIZES, ask_versions
from quicmini.wire.packet import encode_version_negotiation


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A UDP socket that nobody reads from, unless the test does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "ROUNDS", (0.01, 0.01))


@pytest.mark.parametrize("versions", [KNOWN_VERSIONS, KNOWN_VERSIONS[1:]])
def test_a_server_tells_its_versions(make_listener: Callable[..., Listener], versions: tuple[int, ...]) -> None:
    listener = make_listener(versions=versions)
    answer = ask_versions(listener.address)
    assert answer.versions == versions
    assert answer.remote == listener.address
    assert answer.rtt > 0
    assert answer.tried == SIZES
    assert answer.largest == max(SIZES)  # loopback
    with pytest.raises(TimeoutError):
        listener.accept(0)  # nobody has connected


@contextmanager
def answering(server: socket.socket, largest: int, reply: Callable[[bytes, bytes], bytes]) -> Iterator[None]:
    """Answer each question meanwhile, but for those that are larger."""

    def run() -> None:
        packet, source = server.recvfrom(65_535)
        while packet:  # one without a byte is the end
            if len(packet) <= largest:
                server.sendto(reply(packet[6:14], packet[15:23]), source)
            packet, source = server.recvfrom(65_535)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()


def test_what_is_too_large_for_the_path_gets_no_answer(server: socket.socket) -> None:
    def reply(dcid: bytes, scid: bytes) -> bytes:
        return encode_version_negotiation(scid, dcid, (1, 0x1A2A3A4A), 0)

    with answering(server, 1400, reply):
        answer = ask_versions(server.getsockname())
    assert (answer.versions, answer.largest) == ((1, 0x1A2A3A4A), 1400)


def test_the_question(server: socket.socket, impatient: None) -> None:
    """Long headers of reserved versions, as large as they say (RFC 9000 §6, §15)."""
    with pytest.raises(TimeoutError, match="does not say which versions"):
        ask_versions(server.getsockname())
    packets = [server.recvfrom(65_535)[0] for _ in range(2 * len(SIZES))]
    assert [len(packet) for packet in packets] == [*SIZES, *SIZES]
    assert len({packet[15:23] for packet in packets}) == len(packets)
    for packet in packets:
        assert packet[0] & 0xC0 == 0xC0
        assert int.from_bytes(packet[1:5]) & 0x0F0F0F0F == 0x0A0A0A0A
        assert packet[5] == packet[14] == 8


@pytest.mark.parametrize(
    "reply",
    [
        lambda dcid, scid: encode_version_negotiation(dcid, scid, (1,), 0),  # IDs the wrong way round
        lambda dcid, scid: b"\xc0" + bytes(40),
        lambda dcid, scid: b"",
        lambda dcid, scid: b"hello",
    ],
)
def test_what_is_no_answer_is_passed_over(
    server: socket.socket, impatient: None, reply: Callable[[bytes, bytes], bytes]
) -> None:
    with answering(server, 65_535, reply), pytest.raises(TimeoutError):
        ask_versions(server.getsockname())


def test_nobody_there(server: socket.socket) -> None:
    address = server.getsockname()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        ask_versions(address)


def test_no_address() -> None:
    with pytest.raises(ValueError, match="port"):
        ask_versions(("127.0.0.1", 0))
    with pytest.raises(socket.gaierror):
        ask_versions(("no-such-host.invalid", 443))


def test_a_connection_works_afterwards(make_listener: Callable[..., Listener]) -> None:
    """Questions leave nothing behind that a server would hold against their sender."""
    listener = make_listener(max_pending=Config().max_pending)
    for _ in range(3):
        assert ask_versions(listener.address, (1200,)).largest == 1200
