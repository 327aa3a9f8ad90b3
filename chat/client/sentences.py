"""Events in words for people, however they are shown."""

from __future__ import annotations

from chat.client.events import CaughtUp, Names, Rooms, Welcomed

__all__ = ["Whereabouts", "back_again", "connection_lost", "messages", "names_line", "rooms_line"]


def names_line(names: Names) -> str:
    """Who is in a room."""
    return f"in {names.room}: {', '.join(names.names)}"


def rooms_line(rooms: Rooms) -> str:
    """Which rooms there are."""
    return f"rooms: {', '.join(f'{name} ({people})' for name, people in rooms.rooms)}"


def messages(count: int) -> str:
    """So many."""
    return f"{count} message{'s' * (count != 1)}"


def connection_lost(reason: str) -> str:
    """Told once, however many attempts it takes to come back."""
    return f"connection lost: {reason}; coming back"


def back_again(caught_up: CaughtUp, otherwise: str = "") -> str:
    """otherwise: what is said if nothing was missed."""
    missed = f"{messages(caught_up.messages)} caught up" if caught_up.messages else otherwise
    return f"back again{', ' * bool(missed)}{missed}"


class Whereabouts:
    """What the person knows of who they are and where: first what they have asked for, then what they were told."""

    def __init__(self, nickname: str, room: str) -> None:
        self._nickname = nickname
        self._room = room
        self._welcomed = False

    def news(self, welcomed: Welcomed) -> list[str]:
        """What there is to tell: changes, the server's greeting, and where one is for who has asked for no change."""
        moved = welcomed.room != self._room
        news = [f"you are {welcomed.nickname} now"] if welcomed.nickname != self._nickname else []
        if moved and welcomed.room:
            news.append(f"you are in {welcomed.room} now")
        if self._welcomed and not (news or welcomed.returned):
            news.append(f"you are {welcomed.nickname} already" + f", in {welcomed.room}" * bool(welcomed.room))
        if welcomed.text and (moved or not self._welcomed):
            news.append(welcomed.text)
        self._nickname, self._room, self._welcomed = welcomed.nickname, welcomed.room, True
        return news
