"""Address validation tokens that servers gave to this process, until it connects to them again (RFC 9000 §8.1.3)."""

from __future__ import annotations

import threading
from collections import deque

from quicmini.connection.state import Address

__all__ = ["MAX_SERVERS", "MAX_TOKENS_OF_SERVER", "TOKENS", "TokenCache"]

# Servers whose tokens are kept; the one that was not heard of for longest is forgotten first.
MAX_SERVERS = 256

# Tokens kept of each, the newest: as many connections can be opened before one of them brings another token.
MAX_TOKENS_OF_SERVER = 4

# A server is known by its address, the name it was asked for, and the version of QUIC (RFC 9369 §5).
_Server = tuple[Address, str | None, int]


class TokenCache:
    """Tokens by server. Any thread may use it; nothing blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[_Server, deque[bytes]] = {}

    def keep(self, remote: Address, server_name: str | None, version: int, token: bytes) -> None:
        """Remember a token for a later connection."""
        server = (remote, server_name, version)
        with self._lock:
            tokens = self._tokens.pop(server, None) or deque(maxlen=MAX_TOKENS_OF_SERVER)
            tokens.append(token)
            self._tokens[server] = tokens  # at the end: the newest
            if len(self._tokens) > MAX_SERVERS:
                del self._tokens[next(iter(self._tokens))]

    def take(self, remote: Address, server_name: str | None, version: int) -> bytes:
        """The newest token, b"" if there is none. It is not given twice: a token that was seen on the wire again would
        tell an observer that two connections are the same client's (RFC 9000 §8.1.3)."""
        with self._lock:
            tokens = self._tokens.get((remote, server_name, version))
            return tokens.pop() if tokens else b""


# What `connect` uses.
TOKENS = TokenCache()
