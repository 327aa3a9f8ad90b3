"""What can be typed besides what is said: one table, for the line mode and for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from chat.client.events import Event, Notice, Refused
from chat.message import Kind
from chat.text import check_name

__all__ = ["COMMANDS", "Command", "Person", "run"]


class Person(Protocol):
    """The session, as far as commands use it."""

    quiet: bool

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "", *, block: bool = True) -> bool: ...

    def ask(self, kind: str, *, nickname: str = "", room: str = "") -> None: ...

    def tell(self, event: Event) -> None: ...

    def leave(self) -> None: ...


class Command(NamedTuple):
    """usage: what follows the name, "" if nothing does; `run` is given it. example: for who has left it out.

    Raises ValueError, with a sentence, for what it cannot be.
    """

    usage: str
    help: str
    run: Callable[[Person, str], None]
    example: str = ""


def run(person: Person, line: str) -> None:
    """Do what the line asks for; say it if it does not begin with a slash, or with two, of which one is said."""
    if not line.startswith("/") or line.startswith("//"):
        person.say(line.removeprefix("/"))
        return
    name, _, rest = line[1:].partition(" ")
    try:
        _run(person, name.lower(), rest.strip())
    except ValueError as error:
        person.tell(Refused(str(error), f"/{name}", said=line))


def _run(person: Person, name: str, rest: str) -> None:
    command = COMMANDS.get(name)
    if command is None:
        raise ValueError(f"there is no /{name}; /help lists what there is, and // begins a line with a slash")
    if rest and not command.usage:
        raise ValueError(f"nothing goes behind /{name}")
    if command.usage and not rest:
        raise _incomplete(command)
    command.run(person, rest)


def _incomplete(command: Command) -> ValueError:
    return ValueError(f"something is missing; for example: {command.example}")


def _help(person: Person, _rest: str) -> None:
    lines = [(f"/{name} {command.usage}", command.help) for name, command in COMMANDS.items()]
    lines.append(("//TEXT", "say a line that begins with a slash"))
    width = max(len(usage) for usage, _ in lines)
    for usage, help in lines:
        person.tell(Notice(f"{usage:{width}}  {help}"))


def _nick(person: Person, rest: str) -> None:
    person.ask(Kind.NICK, nickname=check_name(rest))


def _who(person: Person, _rest: str) -> None:
    person.ask(Kind.WHO)


def _me(person: Person, rest: str) -> None:
    person.say(rest, Kind.ME)


def _msg(person: Person, rest: str) -> None:
    """A nickname with spaces in it is written between quotation marks."""
    if rest.startswith('"'):
        nickname, _, text = rest[1:].partition('"')
    else:
        nickname, _, text = rest.partition(" ")
    if not (nickname and text.strip()):
        raise _incomplete(COMMANDS["msg"])
    person.say(text.strip(), Kind.MSG, check_name(nickname))


def _join(person: Person, rest: str) -> None:
    person.ask(Kind.JOIN, room=check_name(rest, "room"))


def _rooms(person: Person, _rest: str) -> None:
    person.ask(Kind.ROOMS)


def _history(person: Person, _rest: str) -> None:
    person.ask(Kind.HISTORY)


def _quiet(person: Person, _rest: str) -> None:
    person.quiet = not person.quiet
    now = "quiet: no bell, and nobody is announced" if person.quiet else "no longer quiet"
    person.tell(Notice(f"{now}; /quiet changes it"))


def _quit(person: Person, _rest: str) -> None:
    person.leave()


COMMANDS: dict[str, Command] = {
    "help": Command("", "what can be typed", _help),
    "nick": Command("NAME", "take another nickname", _nick, "/nick Ada"),
    "who": Command("", "who is in this room", _who),
    "me": Command("TEXT", "say what you do, as if somebody else told it", _me, "/me waves"),
    "msg": Command("NAME TEXT", "say something to one person only", _msg, '/msg Ada hello, or /msg "Ada L." hello'),
    "join": Command("ROOM", "go to another room, also to one that nobody is in yet", _join, "/join garden"),
    "rooms": Command("", "which rooms there are", _rooms),
    "history": Command("", "what was said here before", _history),
    "quiet": Command("", "no bell and no announcements, from now on or no longer", _quiet),
    "quit": Command("", "leave", _quit),
}
