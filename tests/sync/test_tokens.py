"""Tokens between connections (RFC 9000 §8.1.3)."""

from __future__ import annotations

from quicmini import Config, Listener, connect, listen
from quicmini.sync.tokens import MAX_SERVERS, MAX_TOKENS_OF_SERVER, TOKENS, TokenCache
from quicmini.wire.packet import VERSION_1, VERSION_2
from tests.certificates import CertificateFiles
from tests.sync.helpers import ALPN, until

SERVER = ("192.0.2.2", 4433)


def test_the_newest_token_first_and_each_once() -> None:
    cache = TokenCache()
    for token in (b"old", b"new"):
        cache.keep(SERVER, "name", VERSION_1, token)
    assert [cache.take(SERVER, "name", VERSION_1) for _ in range(3)] == [b"new", b"old", b""]


def test_a_token_is_for_one_server_name_and_version() -> None:
    cache = TokenCache()
    cache.keep(SERVER, "name", VERSION_1, b"token")
    assert cache.take(("192.0.2.2", 4434), "name", VERSION_1) == b""
    assert cache.take(SERVER, "other", VERSION_1) == b""
    assert cache.take(SERVER, "name", VERSION_2) == b""
    assert cache.take(SERVER, "name", VERSION_1) == b"token"


def test_only_so_many_are_kept() -> None:
    cache = TokenCache()
    for number in range(2 * MAX_TOKENS_OF_SERVER):
        cache.keep(SERVER, "name", VERSION_1, b"%d" % number)
    taken = [cache.take(SERVER, "name", VERSION_1) for _ in range(MAX_TOKENS_OF_SERVER + 1)]
    assert taken == [b"7", b"6", b"5", b"4", b""]
    for port in range(MAX_SERVERS + 1):
        cache.keep(("192.0.2.2", port), None, VERSION_1, b"token")
    assert len(cache._tokens) == MAX_SERVERS


def test_the_second_connection_is_spared_the_retry(server_files: CertificateFiles) -> None:
    listener = listen(
        ("127.0.0.1", 0),
        alpn_protocols=[ALPN],
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        config=Config(retry=True),
    )
    with listener:
        first, second = (_retry_of(listener, server_files.cafile) for _ in range(2))
    assert first is not None
    assert second is None


def _retry_of(listener: Listener, cafile: str) -> bytes | None:
    """Connect, wait for a token, and tell what the connection's Retry packet was, if any."""
    with connect(listener.address, alpn_protocols=[ALPN], cafile=cafile) as client:
        kept = TOKENS._tokens
        until(lambda: kept.get((listener.address, listener.address[0], VERSION_1)))
        retry_cid: bytes | None = client._driver.core._core.retry_source_cid
        return retry_cid
