"""What has been seen of one connection, and how its packets are opened with that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from quicmini.study.dissection.crypto_streams import CryptoStream
from quicmini.study.dissection.frame_fields import DEFAULT_ACK_DELAY_EXPONENT, PACKET_NAMES
from quicmini.study.dissection.opening import (
    FIRST_INITIAL_MISSING,
    Failure,
    Keys,
    Opened,
    Secrets,
    initial_keys,
    logged_keys,
    secret_label,
)
from quicmini.wire.packet import SUPPORTED_VERSIONS, VERSION_1, PacketType

__all__ = ["Connection", "KeyLogSecrets"]

KeyLogSecrets = Mapping[bytes, Secrets]  # client random -> label -> secret

_MAX_INITIAL_CIDS = 4
"""What Initial keys may come from: the first Destination Connection ID, and that of each Retry. A real server sends one
Retry (RFC 9000 §17.2.5); anyone on the way can forge more."""

_MAX_SESSIONS_TRIED = 16
"""Of a key log: those that are tried on packets whose ClientHello has not been seen."""

# 0-RTT and 1-RTT packets share a packet number space (RFC 9000 §12.3).
_SPACES = {PacketType.ZERO_RTT: PacketType.ONE_RTT}


class Connection:
    """What is known of one connection.

    number: counts connections, from 0; None until a packet has authenticated. version: 0 as long as it is not known.
    initial_cids: what Initial keys may come from, the original one first. cid_lengths: bytes of the IDs in packets to
    the server (True), to the client (False). ack_delay_exponents: of the client's packets under True, of the server's
    under False. secrets: those of the key log, None: not found.
    """

    def __init__(self, key_log: KeyLogSecrets, initial_cid: bytes | None = None, version: int = 0) -> None:
        self.number: int | None = None
        self.initial_cids = [] if initial_cid is None else [initial_cid]
        self.version = version
        self.cid_lengths: dict[bool, int] = {}
        self.ack_delay_exponents = {True: DEFAULT_ACK_DELAY_EXPONENT, False: DEFAULT_ACK_DELAY_EXPONENT}
        self.secrets: Secrets | None = None
        self._key_log = key_log
        self._client_random = b""
        self._crypto: dict[tuple[PacketType, bool], CryptoStream] = {}
        self._keys: dict[tuple[PacketType, bool, int, bytes], Keys | None] = {}
        self._largest: dict[tuple[PacketType, bool], int] = {}

    def crypto(self, packet_type: PacketType, *, to_server: bool) -> CryptoStream:
        """The handshake data of a level and direction."""
        return self._crypto.setdefault((packet_type, to_server), CryptoStream())

    def client_hello_seen(self, client_random: bytes) -> None:
        """Its Random is what a key log finds the connection by."""
        self._client_random = client_random
        self.secrets = self._key_log.get(client_random, self.secrets)

    def retry_seen(self, source_cid: bytes) -> None:
        """Initial keys may come from a Retry packet's Source Connection ID from now on (RFC 9001 §5.2).

        The client's handshake data starts anew: it is to be the same (RFC 9000 §17.2.5.3), which not all heed.
        """
        if source_cid not in self.initial_cids and len(self.initial_cids) < _MAX_INITIAL_CIDS:
            self.initial_cids.append(source_cid)
            self._crypto.pop((PacketType.INITIAL, True), None)

    def versions_seen(self, versions: Collection[int]) -> None:
        """A server has these: unless the present one is among them, the client begins anew (RFC 9000 §6.2).

        It may keep its connection IDs; the ClientHello is another one.
        """
        if self.version and self.version not in versions:
            self.version = 0
            self._crypto.pop((PacketType.INITIAL, True), None)

    def open(
        self, packet_type: PacketType, version: int, packet: bytes, pn_offset: int, *, to_server: bool
    ) -> Opened | Failure:
        """A packet without its protection, or why not. version: of its header, 0 for a short one."""
        space = (_SPACES.get(packet_type, packet_type), to_server)
        largest = self._largest.get(space, -1)
        failure: Failure | None = None
        for keys, secrets in self._keys_for(packet_type, version, to_server=to_server):
            result = keys.open(packet, pn_offset, largest)
            if isinstance(result, Opened):
                self._largest[space] = max(largest, result.packet_number)
                self.secrets = secrets or self.secrets
                # Compatible version negotiation: it is the server that chooses (RFC 9368 §2.3).
                if not to_server or not self.version:
                    self.version = version or self.version or VERSION_1
                return result
            failure = failure or result
        if failure is None or (self.secrets is None and packet_type is not PacketType.INITIAL):
            return self._nothing_fits(packet_type, to_server=to_server)
        return failure

    def _keys_for(
        self, packet_type: PacketType, version: int, *, to_server: bool
    ) -> Iterator[tuple[Keys, Secrets | None]]:
        """The keys to try, and the secrets of the key log that they are made of."""
        if packet_type is PacketType.INITIAL:
            cids = list(reversed(self.initial_cids))
            for cid in cids:
                yield self._initial_keys(cid, version, to_server=to_server), None
            # Senders have been seen that change the version of the header and not yet that of the keys (RFC 9369 §4.1).
            for other in SUPPORTED_VERSIONS:
                if other != version:
                    for cid in cids:
                        yield self._initial_keys(cid, other, to_server=to_server), None
            return
        versions = [version or self.version] if version or self.version else SUPPORTED_VERSIONS
        for client_random, secrets in self._sessions():
            for each in versions:
                tag = (packet_type, to_server, each, client_random)
                if tag not in self._keys:
                    self._keys[tag] = logged_keys(secrets, packet_type, each, to_server=to_server)
                found = self._keys[tag]
                if found is not None:
                    yield found, secrets

    def _initial_keys(self, cid: bytes, version: int, *, to_server: bool) -> Keys:
        tag = (PacketType.INITIAL, to_server, version, cid)
        keys = self._keys.get(tag) or initial_keys(cid, version, to_server=to_server)
        self._keys[tag] = keys
        return keys

    def _sessions(self) -> Iterator[tuple[bytes, Secrets]]:
        """Those of the key log that may be this connection's."""
        if self.secrets is not None:
            yield b"", self.secrets
        elif not self._client_random:
            yield from islice(self._key_log.items(), _MAX_SESSIONS_TRIED)

    def _nothing_fits(self, packet_type: PacketType, *, to_server: bool) -> Failure:
        if packet_type is PacketType.INITIAL:
            return Failure(FIRST_INITIAL_MISSING)
        label = secret_label(packet_type, to_server=to_server)
        count = len(self._key_log)
        others = f"secrets of {count} other connection{'' if count == 1 else 's'}"
        if not label:
            return Failure("a server sends no 0-RTT packets (RFC 9000 §17.2.3)")
        if not count:
            return Failure(f"protected with {PACKET_NAMES[packet_type]} keys, and there is no key log", needs_keys=True)
        if self.secrets is not None:
            return Failure(f"the key log has no {label} of this connection", needs_keys=True)
        if self._client_random:
            whose = f"client random {self._client_random.hex()}"
            return Failure(f"the key log has {others}, none of this one ({whose})", needs_keys=True)
        return Failure(f"the ClientHello was not seen, and no {label} of the key log opens this", needs_keys=True)
