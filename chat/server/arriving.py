"""How somebody comes in: what they are called, what of theirs is settled, and what they are sent that they have missed.

`hello` and `newest` are for holders of the hub's lock.
"""

from __future__ import annotations

import re
import sqlite3

from chat.message import MAX_SEQ, Message, sender_id
from chat.server.client import Client
from chat.server.hub import Hub
from chat.server.rooms import NameTaken, room_key
from chat.server.speaking import say

__all__ = ["RECENT", "hello", "newest"]

RECENT = 50  # messages that a newcomer is sent
MISSED = 1000  # messages that somebody is sent who was at another server, and had something that is not known here
PAGE = 64  # messages of the history that are read at once
MAX_ID_LENGTH = 64  # characters of a message's id, which the welcome gives back
_SESSION = re.compile("[0-9a-f]{16,64}")


def hello(hub: Hub, client: Client, message: Message) -> None:
    """A client says who it is, and takes part from now on.

    Raises ValueError, with a sentence for the client, if it cannot, Refused if it may not, and sqlite3.Error if the
    history does not work.
    """
    if client.session:
        raise ValueError("hello was said already")
    session = message.session
    if not _SESSION.fullmatch(session):
        raise ValueError("a session is 16 to 64 hexadecimal digits")
    if message.seq > MAX_SEQ:
        raise ValueError(f"a seq is {MAX_SEQ} at most")
    known = "" if hub.history.seq(session) is None else session  # whoever has it was let in before: it is a secret
    hub.admission.check_password(message.text, client.origin, known)
    room = room_key(message.room)
    is_elsewhere = hub.others.get(sender_id(session)) is not None and not hub.nicknames.has(sender_id(session))
    nickname = _grant(hub, message)
    settled = _settled(hub, session, message.seq, message.number)
    hub.history.enter(session, settled, nickname, room, hub.now())
    previous = hub.connected(session)
    if previous is not None:
        hub.replace(previous)
    before = previous or hub.returns(session)
    is_back = before is not None or is_elsewhere
    last = _begin(hub, client, message, room)
    client.nickname = nickname
    early = client.sequence.begin(settled)
    client.refused.extend(before.refused if before else ())
    id = message.id if hub.ledger is not None and len(message.id) <= MAX_ID_LENGTH else ""
    refused = (seq for seq in client.refused if message.seq < seq <= settled)
    hub.welcome(client, last, refused, id)
    if not is_back:
        hub.notice(hub.rooms.members(room), room, f"{client.nickname} joined", but=client)
    _catch_up(hub, client)
    if early := [each for each in early if each.session == session]:
        say(hub, client, early)


def _grant(hub: Hub, hello: Message) -> str:
    """Give who says hello its nickname, and return it. Raises ValueError if it cannot have it.

    Who was welcome before, on another server maybe, and comes back when somebody has its name gets another.
    """
    nickname = hello.nickname
    try:
        hub.claim(hello.session, nickname)
    except NameTaken:
        if hub.ledger is None or not hello.store:
            raise
        nickname = hub.nicknames.variation(hello.session, nickname)
        hub.claim(hello.session, nickname)
    return nickname


def _settled(hub: Hub, session: str, claimed: int, repeatable: int = 0) -> int:
    """Up to which seq everything of a session is settled, here or on another server, which may have told the client
    of more than us: `claimed`. The last `repeatable` of these can be had from the client, so that we have them
    before what follows, even if that server never tells us."""
    known = hub.history.seq(session)
    if hub.ledger is None:
        return max(0, claimed) if known is None else known
    return max(known or 0, hub.ledger.seq(sender_id(session)), claimed - max(0, repeatable))


def _begin(hub: Hub, client: Client, hello: Message, room: str) -> int:
    """A client takes part, in a room: it has everything up to number `seen` of a store, and is to be sent what
    comes after that, or, if that cannot be told of another store, what the room heard last. Returns the number of
    the newest of these."""
    session, seen = hello.session, hello.seen
    last = newest(hub, room, sender_id(session))
    if hello.store != hub.history.store or not 0 <= seen <= hub.history.last_number():
        seen = _seen_elsewhere(hub, hello.id)
    if seen < 0:
        count = MISSED if hub.ledger is not None and hello.id else RECENT
        recent = hub.history.before(0, room, sender_id(session), count)
        seen = recent[0].message.number - 1 if recent else hub.history.last_number()
    client.begin(session, seen)
    client.behind = seen < last
    hub.place(client, room)
    return max(seen, last)


def _seen_elsewhere(hub: Hub, id: str) -> int:
    """What `seen` is here for who has everything of another server up to a message; -1 if that cannot be told."""
    seen = hub.ledger.seen(id) if hub.ledger is not None and id else None
    return -1 if seen is None else seen


def newest(hub: Hub, room: str, sender: str) -> int:
    """The number of the last message that the sender, who is in the room, may read; 0: there is none."""
    return next((entry.message.number for entry in hub.history.before(0, room, sender, 1)), 0)


def _catch_up(hub: Hub, client: Client) -> None:
    """Send a client that is behind what it has missed."""
    if client.behind:
        client.sender.catch_up(lambda: _next_page(hub, client))


def _next_page(hub: Hub, client: Client) -> list[bytes]:
    """What a client that is behind is sent next; if that is nothing, it is no longer behind. Takes the lock."""
    with hub.locked():
        if client.gone:
            return []
        try:
            entries = hub.history.after(client.cursor, client.room, client.id, PAGE)
        except sqlite3.Error as error:
            hub.fail(client, error)
            return []
        client.behind = bool(entries)
        return [client.chained(entry, {}) for entry in entries]
