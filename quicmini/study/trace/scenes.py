"""Small plays for a client, a server and a bad network, each of which shows one thing that QUIC does.

What goes wrong is ordered from the link when it is time for it, and each step waits for what the one before it brings
about: so the same happens each time, however slow the machine is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from quicmini.config import Config
from quicmini.study.link.scenario import Scenario
from quicmini.study.link.stage import PATIENCE, Stage, answer_next, exchange, read_all
from quicmini.study.trace import evidence
from quicmini.study.trace.frames import Span
from quicmini.study.trace.takes import Take, takes
from quicmini.study.trace.waiting import Delivery, blocking, deliveries
from quicmini.wire.packet import VERSION_1, VERSION_2

__all__ = ["LINK", "SCENES", "Scene", "perform"]

# A path with a round trip of about 40 ms, on which packets leave a gap between them that can be seen.
LINK = Scenario(delay=0.02, bandwidth=20e6, seed=1)

MESSAGE = 1100  # bytes: with its frame, and no more, in a packet
MESSAGES = 6


# How often a scene is played until it shows what it should: where a machine stalls for longer than a round trip, timers
# fire that should not have.
ATTEMPTS = 3


class Scene(NamedTuple):
    """play: what the two sides do. seen: where the phenomenon shows, or None. look_at: two sentences about it.
    shows_handshake: it is about the beginning of the connection. messages: what is sent on each of the connections that
    are compared, if there is more than one to be looked at, and how these are called."""

    title: str
    look_at: str
    play: Callable[[Stage], None]
    seen: Callable[[Take], str | None]
    server: Config = Config()
    shows_handshake: bool = False
    messages: tuple[tuple[str, tuple[Span, ...]], ...] = ()

    def proof(self, found: list[Take]) -> str | None:
        """Where the takes show what they should, in a sentence; None if they do not."""
        sentences = [self.seen(take) for take in found]
        if not all(sentences) or not self.messages:
            return sentences[-1] if all(sentences) else None
        return blocking(*self.deliveries(found))

    def deliveries(self, found: list[Take]) -> list[list[Delivery]]:
        """What became of the messages of each take."""
        return [deliveries(take, messages) for take, (_, messages) in zip(found, self.messages, strict=True)]


def perform(scene: Scene) -> list[Take]:
    """Play it, again if it does not show what it should; the takes that are to be looked at.

    TimeoutError if it comes to a halt, ConnectionClosed if a connection breaks.
    """
    found: list[Take] = []
    for _ in range(ATTEMPTS):
        with Stage(LINK, scene.server) as stage:
            scene.play(stage)
        found = takes(stage.recorder.records)[-max(len(scene.messages), 1) :]
        if scene.proof(found):
            break
    return found


def _loss(stage: Stage) -> None:
    client, server = stage.connect(), stage.accept()
    stage.confirmed()
    stage.link.lose(to_server=True, at_least=MESSAGE, after=2)
    exchange(client, server, bytes(8 * MESSAGE), b"thank you")
    stage.close(client)


def _plain(stage: Stage) -> None:
    """A connection, a question, an answer."""
    client, server = stage.connect(), stage.accept()
    exchange(client, server, b"how are you?", b"fine, thank you")
    stage.confirmed()
    stage.close(client)


def _early_data(stage: Stage) -> None:
    """The first connection brings the ticket with which the second one begins."""
    client, _ = stage.connect(), stage.accept()
    stage.confirmed()
    stage.recorder.wait(lambda: client.session is not None, PATIENCE)
    session = client.session
    stage.close(client)
    stage.link.pause()  # however slowly the client writes, nobody is faster
    client = stage.connect(session=session, early_data=True)
    asking = client.open_stream(timeout=PATIENCE)
    asking.sendall(b"how are you?", end_stream=True)
    stage.link.resume()
    answer_next(stage.accept(), b"fine, thank you")
    read_all(asking)
    client.handshake(PATIENCE)
    stage.confirmed()
    stage.close(client)


def _migration(stage: Stage) -> None:
    client, server = stage.connect(), stage.accept()
    stage.confirmed()
    exchange(client, server, b"before", b"I see you")
    try:
        client.migrate(("127.0.0.2", 0), timeout=PATIENCE)
    except OSError:  # not every system has that address: another port will do
        client.migrate(timeout=PATIENCE)
    exchange(client, server, b"after", b"I still see you")
    stage.close(client)


def _key_update(stage: Stage) -> None:
    client, server = stage.connect(), stage.accept()
    stage.confirmed()
    exchange(client, server, b"with the first keys", b"likewise")
    client.update_keys()
    exchange(client, server, b"with the next keys", b"likewise")
    stage.close(client)


def _version_negotiation(stage: Stage) -> None:
    client = stage.connect(Config(versions=(VERSION_2, VERSION_1), initial_version=VERSION_2))
    server = stage.accept()
    exchange(client, server, b"how are you?", b"fine, thank you")
    stage.confirmed()
    stage.close(client)


# The same messages twice: on streams of their own, and one after another on one stream.
_APART = tuple(Span(4 * index, 0, MESSAGE) for index in range(MESSAGES))
_TOGETHER = tuple(Span(0, index * MESSAGE, (index + 1) * MESSAGE) for index in range(MESSAGES))


def _head_of_line(stage: Stage) -> None:
    """The second of the messages is lost, each time."""
    for messages in (_APART, _TOGETHER):
        client, server = stage.connect(), stage.accept()
        stage.confirmed()
        stage.link.lose(to_server=True, at_least=MESSAGE, after=1)
        stream = client.open_stream(timeout=PATIENCE)
        for index, message in enumerate(messages):
            if message.stream != stream.stream_id:
                stream = client.open_stream(timeout=PATIENCE)
            last_of_stream = index + 1 == len(messages) or messages[index + 1].stream != message.stream
            stream.sendall(bytes(MESSAGE), end_stream=last_of_stream)
        for _ in {message.stream for message in messages}:
            read_all(server.accept_stream(PATIENCE))
        stage.close(client)


SCENES: dict[str, Scene] = {
    "loss": Scene(
        "A packet is lost, and what it carried is sent again",
        "Look at the acknowledgements: the number of the lost packet is missing from their ranges, and three later "
        "packets are enough for the client to give it up (RFC 9002 §6.1). It is the data that is sent again, under a "
        "new packet number, and the congestion window shrinks (RFC 9002 §7.3.2).",
        _loss,
        evidence.lost_and_sent_again,
    ),
    "retry": Scene(
        "A server has the client prove its address before it remembers anything",
        "Look at the first answer: a Retry packet, whose token the client sends back, with its ClientHello once more, "
        "so that the server knows that it can be reached where it says (RFC 9000 §8.1.2). The price is one round trip, "
        "and the server has not kept a byte in the meantime.",
        _plain,
        evidence.token_echoed,
        Config(retry=True),
        shows_handshake=True,
    ),
    "0rtt": Scene(
        "A client that was here before sends its question with the very first packets",
        "Look at the times: the 0RTT packet with the stream's data leaves beside the Initial packets, before anything "
        "has come back, and the answer is there after one round trip (RFC 9001 §4.6). It is protected by keys of the "
        "session before, and whoever records it can deliver it a second time (RFC 9001 §9.2).",
        _early_data,
        evidence.early_data_taken,
        Config(early_data=True),
        shows_handshake=True,
    ),
    "migration": Scene(
        "A client moves to another address, and the connection goes with it",
        "Look at PATH_CHALLENGE and PATH_RESPONSE: each side asks whether the other really is at the new address "
        "before it relies on it (RFC 9000 §8.2). Both change to connection IDs that were never used on the old path, "
        "so that nobody who watches both can tell that they belong together (RFC 9000 §9.5).",
        _migration,
        evidence.path_validated,
    ),
    "key-update": Scene(
        "Both sides go over to new keys in the middle of a connection",
        "Look at the key phase behind the packet numbers: the client's first packet in phase 1 is all the notice that "
        "the server gets, and its answer in the same phase is the confirmation (RFC 9001 §6.1). The numbers go on, "
        "nothing is repeated, and nobody waits.",
        _key_update,
        evidence.keys_updated,
    ),
    "vn": Scene(
        "A client begins with a version that the server does not speak",
        "Look at the answer to the first flight: a Version Negotiation packet, which lists the versions of the server "
        "and is protected by nothing (RFC 9000 §6, RFC 8999 §6). The client begins anew with one of them, and compares "
        "later, under the protection of TLS, whether the list was the server's own (RFC 9368 §4).",
        _version_negotiation,
        evidence.version_negotiated,
        Config(versions=(VERSION_1,)),
        shows_handshake=True,
    ),
    "hol": Scene(
        "One lost packet delays one stream, or everything that is behind it on the same stream",
        "Look at the messages after the second one, whose packet is lost: on streams of their own they can be read as "
        "soon as they are there (RFC 9000 §2.2). On a single stream, as in TCP, they have arrived just as early, and "
        "wait all the same until the lost one has been sent again.",
        _head_of_line,
        evidence.lost_and_sent_again,
        messages=(("each on a stream of its own", _APART), ("all on one stream", _TOGETHER)),
    ),
}
