"""Events as something to be read: who in which colour, and what."""

from __future__ import annotations

from chat.client.events import Refused, Said
from chat.client.style import nick_colour
from chat.client.tui.cells import elided
from chat.client.tui.transcript import Entry
from chat.message import SPOKEN, Kind

__all__ = ["nick_style", "of_notice", "of_refusal", "of_said", "of_unconfirmed"]

MAX_QUOTED = 40  # columns of what was not sent


def of_said(said: Said, now: float) -> Entry:
    """What somebody has said; now: for a server that gives no time."""
    nick = nick_style(said.nickname) + (" reverse" if said.mention and said.kind != Kind.MSG else "")
    text = "class:private" if said.kind == Kind.MSG else ""
    fragments = (*_who(said.kind, said.nickname, nick, said.recipient), (text, said.text))
    return Entry(said.time / 1000 or now, fragments, said.number, said.room)


def of_unconfirmed(nickname: str, kind: str, text: str, recipient: str, time: float) -> Entry:
    """What was typed here, and has not come back from the server."""
    faint = "class:unconfirmed"
    return Entry(time, (*_who(kind, nickname, faint, recipient), (faint, text)))


def of_notice(text: str, now: float) -> list[Entry]:
    """Words of the server, or of this program: an entry for each line."""
    return [Entry(now, (("class:notice", f"· {line}"),)) for line in text.split("\n")]


def of_refusal(refused: Refused, now: float, more: int = 0) -> Entry:
    """Why something is not done; more: how many other messages are not sent for the same reason."""
    text = refused.text
    if refused.said and refused.kind in SPOKEN:
        others = f", and {more} more" if more else ""
        text = f"not sent: {text} ({elided(refused.said, MAX_QUOTED)}{others})"
    return Entry(now, (("class:error", f"! {text}"),))


def nick_style(nickname: str) -> str:
    """The colour of a nickname, for prompt_toolkit: a colour of the terminal's 6 × 6 × 6 cube by its three parts."""
    place = nick_colour(nickname) - 16
    red, green, blue = (0 if part == 0 else 55 + 40 * part for part in (place // 36, place // 6 % 6, place % 6))
    return f"#{red:02x}{green:02x}{blue:02x} bold"


def _who(kind: str, nickname: str, style: str, recipient: str) -> tuple[tuple[str, str], ...]:
    match kind:
        case Kind.ME:
            return ("", "* "), (style, nickname), ("", " ")
        case Kind.MSG:
            return (style, nickname), ("class:private", f" → {recipient}: ")
        case _:
            return (style, nickname), ("", ": ")
