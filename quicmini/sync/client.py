"""Client side: `connect`."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from functools import lru_cache, partial
from time import monotonic

from quicmini.config import Config
from quicmini.connection.endpoint import ClientSettings, Endpoint, first_version
from quicmini.connection.state import Address
from quicmini.errors import ConnectionClosed
from quicmini.sync.addresses import check_address
from quicmini.sync.clock import calendar
from quicmini.sync.connection import Connection
from quicmini.sync.deadline import Deadline
from quicmini.sync.driver import Driver
from quicmini.sync.loop import Loop
from quicmini.sync.moving import follow_preference
from quicmini.sync.recording import recorded, socket_type
from quicmini.sync.tokens import TOKENS
from quicmini.tls.certificates import Credential, TrustStore, load_credential, load_trust_store
from quicmini.tls.context import ClientContext, protocol_names
from quicmini.tls.session import Session

__all__ = ["connect"]

_DEFAULTS = Config()


def connect(
    address: tuple[str, int],
    *,
    alpn_protocols: Sequence[str],
    server_hostname: str | None = None,
    cafile: str | None = None,
    verify: bool = True,
    pinned_key: str | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
    session: Session | None = None,
    early_data: bool = False,
    open_timeout: float | None = 10,
    close_timeout: float | None = 10,
    config: Config = _DEFAULTS,
) -> Connection:
    """Connect to a QUIC server at `address`: (host, port). Blocks until the handshake is complete (RFC 9000 §7).

    alpn_protocols: the application protocols offered, the preferred one first (RFC 7301). server_hostname: the name
    that the server's certificate must have; by default the host of `address`. cafile: PEM file with the trusted
    certificates, by default the system's. verify: False trusts every certificate, for tests only. pinned_key: instead
    of all that, the `key_fingerprint` of the server's certificate: only that its key is this one is looked at, not
    whom it names, who signed it, and when it ends. certfile, keyfile: PEM files with this side's certificate chain and
    its key (None: in `certfile` as well), for servers that ask for one; if that one is not good enough, a later call
    raises the server's HandshakeError. session: `Connection.session` of an earlier connection to this server, which
    spares both sides the certificates; one that does not fit is ignored, and the handshake is a full one. early_data:
    return at once if the session allows to send data with the first flight (0-RTT). Whoever records such data can have
    it delivered a second time, so that it must do no harm twice (RFC 9001 §9.2); `Connection.handshake` waits for the
    rest, and tells what else is raised here. If the server does not take it, it is sent again by itself.
    open_timeout: seconds for all of it but name resolution; the addresses of the host are tried in order, and share
    them. close_timeout: seconds that `Connection.close` may wait for what was written to arrive.

    Raises HandshakeError if TLS fails (an untrusted certificate, no common protocol, …) and other `ConnectionClosed`
    exceptions if the connection does, TimeoutError, ConnectionRefusedError and other OSErrors if nobody is there,
    socket.gaierror for an unknown host, ValueError and TypeError for arguments that cannot work.
    """
    _check(session, certfile, keyfile)
    _check_strings(server_hostname=server_hostname, pinned_key=pinned_key)
    if cafile is not None and pinned_key is not None:
        raise ValueError("a server is known by its certificate or by its key: either cafile or pinned_key")
    Deadline(close_timeout)  # ValueError if it is none
    host, port = check_address(address, lowest_port=1)
    config = recorded(config, is_client=True)
    context = _context(
        protocol_names(alpn_protocols),
        config.cipher_suites,
        config.groups,
        load_trust_store(cafile) if verify and pinned_key is None else None,
        pinned_key,
        load_credential(certfile, keyfile) if certfile is not None else None,
    )
    settings = ClientSettings(context, server_hostname or host, session=session, early_data=early_data)
    return Connection(_open_first((host, port), settings, config, open_timeout), close_timeout)


def _open_first(
    address: tuple[str, int], settings: ClientSettings, config: Config, open_timeout: float | None
) -> Driver:
    """A connection to the first address of the host that answers."""
    infos = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)
    deadline = Deadline(open_timeout)
    failure: OSError | None = None
    for tried, (family, _, _, _, remote) in enumerate(infos):
        try:
            return _open(family, remote, settings, config, deadline.share(len(infos) - tried))
        except ConnectionClosed:
            raise
        except OSError as error:
            # The first address's error tells most: the others are often those of an IP version that nobody serves.
            failure = failure or error
    raise failure or OSError(f"{address[0]} has no address")


def _check(session: object, certfile: str | None, keyfile: str | None) -> None:
    if certfile is None and keyfile is not None:
        raise ValueError("a keyfile is of no use without a certfile")
    if session is not None and not isinstance(session, Session):
        raise TypeError("session must be a Session: Session.from_bytes makes one of the bytes that were kept")


def _check_strings(**arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a string (got {value!r})")


@lru_cache(maxsize=16)
def _context(
    alpn_protocols: tuple[str, ...],
    cipher_suites: tuple[int, ...],
    groups: tuple[int, ...],
    trust_store: TrustStore | None,
    pinned_key: str | None,
    credential: Credential | None,
) -> ClientContext:
    """Programs connect with the same settings again and again: what can be encoded once is."""
    return ClientContext(
        alpn_protocols=alpn_protocols,
        cipher_suites=cipher_suites,
        groups=groups,
        trust_store=trust_store,
        pinned_key=pinned_key,
        clock=calendar,
        credential=credential,
    )


def _open(family: int, remote: Address, settings: ClientSettings, config: Config, deadline: Deadline) -> Driver:
    """A connection to one address, its handshake complete unless early data may be sent before."""
    udp = socket_type(config.capture).connect(family, remote)
    try:
        endpoint = Endpoint(config, random=os.urandom)
        token = TOKENS.take(remote, settings.server_name, first_version(config, settings.session))
        core = endpoint.connect(udp.remote_address, settings._replace(token=token), monotonic())
        loop = Loop(udp, endpoint, name=f"quicmini client {remote[0]}:{remote[1]}")
        driver = Driver(core, loop)
        driver.on_token = lambda event: TOKENS.keep(remote, settings.server_name, event.version, event.token)
        if config.follow_preferred_address:
            driver.on_confirmed = partial(follow_preference, driver)
        loop.add(driver)
        loop.close()  # with its only connection
    except BaseException:
        udp.close()
        raise
    try:
        with driver.lock:
            if core.sends_early_data:
                driver.hold()
            else:
                driver.flush()
        loop.start()  # while the server is busy with the first flight
        with driver.lock:
            if not core.sends_early_data:
                driver.wait_established(deadline)
    except ConnectionClosed:
        raise  # the loop answers late packets for a while
    except BaseException:
        driver.close(0, "")
        loop.stop()
        raise
    return driver
