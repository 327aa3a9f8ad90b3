"""Opens the bus that is asked for, and needs its client library only then."""

from __future__ import annotations

from chat.server.bus import Bus, BusAddress, BusError

__all__ = ["open_bus"]


def open_bus(address: BusAddress) -> Bus:
    """The bus at an address. Blocks for some seconds at most; raises BusError if it cannot be used."""
    try:
        from chat.server.redis_bus import RedisBus  # nobody else needs the client library
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise BusError("--bus needs the client library of Redis: pip install redis") from None
    return RedisBus(address)
