"""What clients ask for, besides saying something: one function for each kind of message.

All but `answer` are for holders of the hub's lock. They raise ValueError, with a sentence for the client, for what
cannot be done, and sqlite3.Error if the history does not work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from chat.message import MAX_MESSAGE_SIZE, SPOKEN, Kind, Message
from chat.server.admission import Refused
from chat.server.arriving import RECENT, hello, newest
from chat.server.client import Client
from chat.server.hub import Hub
from chat.server.rooms import room_key
from chat.server.speaking import refusal, speak

__all__ = ["answer"]

MAX_LIST_SIZE = MAX_MESSAGE_SIZE - 1024  # bytes of text of the longest answer


def answer(hub: Hub, client: Client, message: Message) -> None:
    """Do what a message asks for. Takes the hub's lock; does not block for any client."""
    with hub.locked():
        if client.gone:
            return
        try:
            message = _as_certified(client, message)
            if message.kind in SPOKEN:
                speak(hub, client, message)
            else:
                _ask(hub, client, message)
        except ValueError as error:
            hub.tell(client, refusal(message, error))
        except Refused as refused:
            client.log.warning("refused client %s: %s", client, refused.reason)
            hub.drop(client, refused.error_code, refused.reason)
        except sqlite3.Error as error:
            if not client.session:
                hub.nicknames.release(message.session)
            hub.fail(client, error)


def _as_certified(client: Client, message: Message) -> Message:
    """Whatever a client calls itself, its certificate knows better."""
    if not client.certified:
        return message
    if message.kind == Kind.NICK:
        raise ValueError(f"your certificate says that you are {client.certified}")
    return message._replace(nickname=client.certified)


def _ask(hub: Hub, client: Client, message: Message) -> None:
    request = _REQUESTS.get(message.kind)
    if request is None:
        raise ValueError("this server does not know what that is")
    if message.kind != Kind.HELLO:
        if not client.session:
            raise ValueError("hello comes first")
        client.limit.admit(0)
    request(hub, client, message)


def _join(hub: Hub, client: Client, message: Message) -> None:
    room = room_key(message.room)
    before = client.room
    if room != before:
        hub.history.enter(client.session, 0, client.nickname, room, hub.now())
        hub.rooms.move(client, room)
        hub.notice(hub.rooms.members(before), before, f"{client.nickname} went to {room}")
        hub.notice(hub.rooms.members(room), room, f"{client.nickname} joined", but=client)
    hub.welcome(client, newest(hub, client.room, client.id))
    if room != before:
        _send_again(hub, client, 0)


def _nick(hub: Hub, client: Client, message: Message) -> None:
    nickname, before = message.nickname, client.nickname
    hub.claim(client.session, nickname)
    if nickname != before:
        hub.history.enter(client.session, 0, nickname, client.room, hub.now())
        client.nickname = nickname
        hub.notice(hub.rooms.members(client.room), client.room, f"{before} is now called {nickname}", but=client)
    hub.welcome(client, newest(hub, client.room, client.id))


def _who(hub: Hub, client: Client, message: Message) -> None:
    room = room_key(message.room) if message.room else client.room
    hub.tell(client, Message("", _lines(hub.names(room)), kind=Kind.NAMES, room=room))


def _rooms(hub: Hub, client: Client, message: Message) -> None:
    del message
    lines = [f"{room} {size}" for room, size in hub.sizes()]
    hub.tell(client, Message("", _lines(lines), kind=Kind.ROOMS))


def _history(hub: Hub, client: Client, message: Message) -> None:
    if not _send_again(hub, client, max(0, message.seen)):
        hub.notice([client], "", "nothing older is kept of this room")  # an answer, not an announcement


def _bye(hub: Hub, client: Client, message: Message) -> None:
    del hub, message
    client.left = True  # its connection will end soon, and nobody needs to wait for it


def _send_again(hub: Hub, client: Client, before: int) -> bool:
    """Send what the room heard last before a number (0: now); False if that is nothing."""
    entries = hub.history.before(before, client.room, client.id, RECENT)
    after = 0
    for entry in entries:
        hub.tell(client, entry.message._replace(after=after, seen=entries[-1].message.number))
        after = entry.message.number
    return bool(entries)


def _lines(lines: list[str]) -> str:
    """As many lines as a message can hold; the last one then tells how many it cannot."""
    size = 0
    for count, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > MAX_LIST_SIZE:
            return "\n".join([*lines[:count], f"… and {len(lines) - count} more"])
    return "\n".join(lines)


_REQUESTS: dict[str, Callable[[Hub, Client, Message], None]] = {
    Kind.HELLO: hello,
    Kind.JOIN: _join,
    Kind.NICK: _nick,
    Kind.WHO: _who,
    Kind.ROOMS: _rooms,
    Kind.HISTORY: _history,
    Kind.BYE: _bye,
}
