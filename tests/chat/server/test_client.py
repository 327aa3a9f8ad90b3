"""What the server remembers of what one client was sent."""

from __future__ import annotations

from chat.message import Dialect, Message
from chat.server.client import MAX_SENDERS, Client
from chat.server.history import Entry
from tests.chat.server.fake import World


def deliver(client: Client, sender: str, number: int) -> Message:
    """What the client is sent of something that this one has said."""
    data = client.chained(Entry(Message(sender, "hello", number=number), sender), {})
    message = Message.decode(data, Dialect.CHAT)
    assert message is not None
    return message


def test_senders_have_a_limit() -> None:
    """Who has said nothing for longest is forgotten: what it says next is shown at once, wherever its last one is."""
    client = World().person("Ada").client
    for number in range(1, MAX_SENDERS + 1):
        assert deliver(client, f"sender {number}", number).sender_after == 0
    assert deliver(client, "sender 1", 5000).sender_after == 1
    assert deliver(client, "one too many", 5001).sender_after == 0
    assert len(client._last_of) == MAX_SENDERS
    assert deliver(client, "sender 1", 5002).sender_after == 5000
    assert deliver(client, "sender 2", 5003).sender_after == 0
    assert len(client._last_of) == MAX_SENDERS
    assert deliver(client, "sender 4", 5004).sender_after == 4
