"""How a client makes sure that it talks to the right server, and how it shows who it is itself.

By default it keeps the server's key when they first meet, and from then on talks to nobody else at that address: no
authority is asked, and the server may renew its certificate with the same key. With a file of authorities it verifies
the certificate instead, its name and its dates, and keeps nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chat.address import format_address
from chat.known_hosts import KnownHost, KnownHosts
from chat.problems import Problem
from quicmini import Config, Connection, HandshakeError, Session, connect, key_fingerprint

__all__ = ["Trust"]

logger = logging.getLogger("chat")

BAD_CERTIFICATE = 42  # the TLS alert (RFC 9846 §6.2)


@dataclass(frozen=True)
class Trust:
    """state_dir: where the keys of known servers are kept. cafile: authorities to believe instead. insecure: neither.

    certfile, keyfile: PEM files with this side's certificate and key, for servers that admit nobody without.
    tell: is called with a sentence for the person, when a server is new.
    """

    state_dir: Path
    cafile: str | None = None
    insecure: bool = False
    certfile: str | None = None
    keyfile: str | None = None
    tell: Callable[[str], None] = logger.info

    def connect(
        self,
        address: tuple[str, int],
        *,
        alpn_protocols: Sequence[str],
        config: Config,
        session: Session | None = None,
        early_data: bool = False,
        close_timeout: float | None = None,
    ) -> Connection:
        """`quicmini.connect` to the right server: nothing is sent to any other, as early data neither.

        Blocks. Raises Problem if the server has another key than it had, and whatever `quicmini.connect` raises.
        """
        dial = partial(
            connect,
            address,
            alpn_protocols=alpn_protocols,
            config=config,
            certfile=self.certfile,
            keyfile=self.keyfile,
            close_timeout=close_timeout,
        )
        if self.cafile is not None or self.insecure:
            return dial(cafile=self.cafile, verify=not self.insecure, session=session, early_data=early_data)
        known = self._find(address)
        if known is None:
            connection = dial(verify=False)
            self._meet(connection, address)
            return connection
        try:
            return dial(pinned_key=known.key, session=session, early_data=early_data)
        except HandshakeError as error:
            raise self.explain(error, address) or error from error

    def explain(self, error: Exception, address: tuple[str, int]) -> Problem | None:
        """What to tell the person if `error` is that the server at `address` is not who it was; otherwise None."""
        if self.cafile is not None or self.insecure or not isinstance(error, HandshakeError) or error.remote:
            return None
        known = self._find(address)
        return self._changed(address, error.reason, known) if known and error.alert == BAD_CERTIFICATE else None

    def _find(self, address: tuple[str, int]) -> KnownHost | None:
        known_hosts = KnownHosts(self.state_dir)
        try:
            return known_hosts.find(format_address(address))
        except OSError as error:
            raise Problem(f"cannot read {known_hosts.path}: {error.strerror}") from error
        except ValueError as error:
            raise Problem(str(error)) from error

    def _meet(self, connection: Connection, address: tuple[str, int]) -> None:
        """Keep the key of a server that is new, before anything is sent to it."""
        server, known_hosts = format_address(address), KnownHosts(self.state_dir)
        key = key_fingerprint(connection.getpeercert() or b"")
        try:
            kept = known_hosts.remember(server, key)
        except (OSError, ValueError) as error:
            connection.close(timeout=0)
            why = error.strerror if isinstance(error, OSError) else error
            advice = "another directory can be named with --state-dir"
            raise Problem(f"cannot keep the key of {server} in {known_hosts.path}: {why}; {advice}") from error
        if kept.key != key:  # somebody else has met it in the meantime
            connection.close(timeout=0)
            raise self._changed(address, f"the server's key is {key}, and not {kept.key}", kept)
        self.tell(f"{server} is new: its key {key} is kept in {known_hosts.path}; the server's log shows the right one")

    def _changed(self, address: tuple[str, int], how: str, known: KnownHost) -> Problem:
        path = KnownHosts(self.state_dir).path
        return Problem(
            f"{format_address(address)} is not who it was: {how}, as when you first met; somebody may be between you "
            f"and the server. If you know that its key was changed, remove line {known.line} of {path} and join again"
        )
