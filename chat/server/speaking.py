"""What people say: checked, kept, acknowledged and handed on, each message once.

All functions are for holders of the hub's lock. They raise ValueError, with a sentence for the client, for what cannot
be done, and sqlite3.Error if the history does not work.
"""

from __future__ import annotations

from collections.abc import Sequence

from chat.exchange import ErrorCode
from chat.gob import GobError
from chat.message import MAX_SEQ, Kind, Message, message_id
from chat.server.client import Client, simple_form
from chat.server.history import Entry
from chat.server.hub import Hub
from chat.server.limits import TooMuch

__all__ = ["refusal", "say", "speak"]

MAX_KIND_LENGTH = 32  # characters of what was asked for that are told again, whatever it was


def speak(hub: Hub, client: Client, message: Message) -> None:
    """A client says something: it may be early, or have been said before."""
    if client.is_simple:
        message = message._replace(seq=client.sequence.last + 1)
    elif not 1 <= message.seq <= MAX_SEQ or (client.session and message.session != client.session):
        raise ValueError("what is said has a seq, 1 or more, and the session of the hello")
    try:
        ready = client.sequence.take(message)
    except OverflowError as error:
        hub.drop(client, ErrorCode.OUT_OF_ORDER, str(error))
        return
    if ready:
        say(hub, client, ready)
    elif message.seq <= client.sequence.last:
        _acknowledge(hub, client, client.sequence.last, [])


def say(hub: Hub, client: Client, messages: Sequence[Message]) -> None:
    """What a client says next, in its order: kept in one transaction, then acknowledged, then sent to those who may
    read it. What cannot be said is refused, and settled thereby."""
    entries, refused = [], []
    for message in messages:
        try:
            entries.append(_entry(hub, client, message))
        except ValueError as error:
            refused.append(message.seq)
            # Who does not number messages is told now and then how many were too many.
            if not (client.is_simple and isinstance(error, TooMuch)):
                hub.tell(client, refusal(message, error))
    if client.limit.flooding:
        client.log.warning("dropped client %s: a flood", client)
        hub.drop(client, ErrorCode.FLOOD, "you say more than anybody can read")
    if not client.is_simple:
        client.refused.extend(refused)
    session = "" if client.is_simple else client.session
    kept = hub.history.commit(session, client.sequence.last, entries, hub.now())
    _acknowledge(hub, client, messages[0].seq - 1, refused)
    for entry in kept:
        hub.deliver(entry)


def refusal(message: Message, why: Exception) -> Message:
    """The answer to what is not done."""
    asked = message.kind[:MAX_KIND_LENGTH]
    return Message("", str(why), kind=Kind.REFUSED, recipient=asked, seq=message.seq)


def _acknowledge(hub: Hub, client: Client, after: int, refused: Sequence[int]) -> None:
    """Tell the client what is settled. Streams overtake each other, so it is also told from where on that is, and what
    of it was refused: a client that does not know these takes the refusal alone, as soon as it comes."""
    seqs = " ".join(map(str, refused))
    hub.tell(client, Message("", seqs, kind=Kind.ACK, seq=client.sequence.last, after=after))


def _entry(hub: Hub, client: Client, message: Message) -> Entry:
    """What is kept of a message. Raises ValueError."""
    client.limit.admit(len(message.text))
    nickname = _name(hub, client, message.nickname) if client.is_simple else client.nickname
    said = Message(
        nickname,
        message.text,
        id=message_id(client.session, message.seq),
        time=hub.now(),
        kind=message.kind,
        room=client.room,
    )
    addressee = ""
    if message.kind == Kind.MSG:
        holder = hub.nicknames.find(message.recipient)
        if holder is None:
            raise ValueError("nobody of that name is here")
        addressee = holder.id
        said = said._replace(room="", recipient=holder.nickname)
    try:
        simple_form(said).encode()
    except GobError as error:  # what was no UTF-8 grows when it is replaced
        client.log.warning("not relayed for %s: %s", client, error)
        raise ValueError(str(error)) from error
    return Entry(said, client.id, addressee)


def _name(hub: Hub, client: Client, nickname: str) -> str:
    """One of the seed's clients says its nickname with each message: it has it from the first one on. Returns what it
    is called."""
    if nickname in ("", client.nickname):
        return nickname
    if nickname == client.former_nickname:
        return client.nickname
    hub.claim(client.session, nickname)
    before, client.nickname, client.former_nickname = client.nickname, nickname, ""
    text = f"{before} is now called {nickname}" if before else f"{nickname} joined"
    hub.notice(hub.rooms.members(client.room), client.room, text, but=client)
    return nickname
