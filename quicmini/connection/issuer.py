"""Connection IDs of this side, and the routing table that they lead through (RFC 9000 §5.1, §5.2)."""

from __future__ import annotations

from typing import Generic, TypeVar
from weakref import ref

from quicmini.connection.cids import LOCAL_CID_LENGTH
from quicmini.connection.reset import StatelessResets
from quicmini.tls.groups import Random

__all__ = ["CidIssuer"]

Owner = TypeVar("Owner")


class CidIssuer(Generic[Owner]):
    """Makes the IDs of one connection. `table` of the endpoint has each of them from the moment the owner is known.

    The owner is referred to weakly: it has this, and whoever forgets it should not have to wait for the collector.
    """

    __slots__ = ("_issued", "_owner", "_random", "_resets", "_table")

    def __init__(self, table: dict[bytes, Owner], random: Random, resets: StatelessResets) -> None:
        self._table = table
        self._random = random
        self._resets = resets
        self._owner: ref[Owner] | None = None
        self._issued: list[bytes] = []  # before there was an owner

    def issue(self) -> bytes:
        """A new ID."""
        cid = self._random(LOCAL_CID_LENGTH)
        if self._owner is None:
            self._issued.append(cid)
        elif (owner := self._owner()) is not None:
            self._table[cid] = owner
        return cid

    def token(self, cid: bytes) -> bytes:
        """The stateless reset token of an ID."""
        return self._resets.token(cid)

    def withdraw(self, cid: bytes) -> None:
        """The ID leads nowhere from now on."""
        self._table.pop(cid, None)

    def lead_to(self, owner: Owner) -> None:
        """All IDs, and those to come, are this connection's."""
        self._owner = ref(owner)
        self._table.update(dict.fromkeys(self._issued, owner))
