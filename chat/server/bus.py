"""What may join several servers into one chat. By default nothing does: one process is all there is."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, parse_qsl, urlsplit

from chat.server.group import Group
from chat.text import printable

__all__ = ["DEFAULT_PREFIX", "Bus", "BusAddress", "BusError", "parse_bus"]

DEFAULT_PREFIX = "quicmini-chat"
_FORM = "redis://HOST[:PORT][/DATABASE][?prefix=PREFIX]"
_SCHEMES = ("redis", "rediss")
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class BusError(Exception):
    """There is no bus; the text says why, and what to do."""


class Bus(Protocol):
    """Carries messages and the news of who is where from each server to all others."""

    def start(self, group: Group) -> None:
        """Work for a server from now on. Blocks until it has what the bus holds."""

    def wake(self) -> None:
        """There is something to be sent. Does not block."""

    def close(self) -> None:
        """Send what is waiting, if the bus can be reached, and stop. Blocks for some seconds at most."""


class BusAddress(NamedTuple):
    """url: where the bus is, for the client library. prefix: what all keys there begin with. name: for people, without
    a password."""

    url: str
    prefix: str
    name: str


def parse_bus(text: str) -> BusAddress:
    """Where the bus is. Raises ValueError, with a sentence, if `text` does not say it."""
    try:
        parts = urlsplit(text)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        name = _name(parts)
    except ValueError:
        raise _no_bus("this" if "@" in text else text) from None
    database = parts.path.removeprefix("/")
    prefix = query.pop("prefix", DEFAULT_PREFIX)
    if parts.scheme not in _SCHEMES or not parts.hostname or query or parts.fragment:
        raise _no_bus(name)
    if database and not (database.isascii() and database.isdigit() and len(database) < 6):
        raise _no_bus(name)
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("the prefix of a bus is 1 to 64 letters, digits, and characters of _.:-")
    return BusAddress(parts._replace(query="").geturl(), prefix, name)


def _name(parts: SplitResult) -> str:
    if not parts.hostname:
        return "this" if "@" in parts.netloc else parts.geturl()
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _no_bus(name: str) -> ValueError:
    return ValueError(f"{printable(name)!r} is no bus: it is written {_FORM}")
