"""0-RTT packets that overtook the Initial which opens their connection (RFC 9000 §5.2.2, §17.2.3)."""

from __future__ import annotations

from collections import deque

from quicmini.connection.state import Address

__all__ = ["MAX_WAITING_BYTES", "MAX_WAITING_DATAGRAMS", "Overtaken"]

# What is kept, of all clients together, until Initials come: §5.2.2 allows a limited number. The oldest go first, and
# what is lost is sent again: anybody can fill this, and costs others a little time by it, no more.
MAX_WAITING_DATAGRAMS = 64
MAX_WAITING_BYTES = 128 * 1024


class Overtaken:
    """Datagrams that begin with a 0-RTT packet, in the order of their arrival."""

    __slots__ = ("_bytes", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[bytes, Address, bytes]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, destination_cid: bytes, source: Address, datagram: bytes) -> None:
        """Hold a datagram until `take`."""
        self._waiting.append((destination_cid, source, datagram))
        self._bytes += len(datagram)
        while len(self._waiting) > MAX_WAITING_DATAGRAMS or self._bytes > MAX_WAITING_BYTES:
            self._bytes -= len(self._waiting.popleft()[2])

    def take(self, destination_cid: bytes, source: Address) -> list[bytes]:
        """Those for this ID that came from this address."""
        found = [entry for entry in self._waiting if entry[:2] == (destination_cid, source)]
        for entry in found:
            self._waiting.remove(entry)
            self._bytes -= len(entry[2])
        return [datagram for _, _, datagram in found]
