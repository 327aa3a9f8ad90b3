"""A chain is verified once; another time, name or trust store is another question."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from quicmini.errors import HandshakeError
from quicmini.tls import verification
from quicmini.tls.certificates import TrustStore
from quicmini.tls.chain_cache import MAX_CACHED_CHAINS, ChainCache, Period
from quicmini.tls.verification import ServerName, authenticated_key, parse_server_name, verify_chain
from tests.tls.certs import DAY, TODAY, Made, make

ROOT = make("root", ca=True, start=TODAY - 2 * DAY, end=TODAY + 20 * DAY)
INTERMEDIATE = make("intermediate", ca=True, issuer=ROOT, start=TODAY - 3 * DAY, end=TODAY + 10 * DAY)
LEAF = make("leaf", "example.com", "www.example.com", issuer=INTERMEDIATE, start=TODAY - DAY, end=TODAY + 15 * DAY)
CHAIN = (LEAF.der, INTERMEDIATE.der)
ALWAYS = Period(TODAY - DAY, TODAY + DAY)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names for which a chain was really verified."""
    names: list[str] = []

    def counting(
        chain: list[x509.Certificate], encoded_leaf: bytes, name: ServerName, trust: TrustStore, now: datetime
    ) -> Period:
        names.append(name.text)
        return verify_chain(chain, encoded_leaf, name, trust, now)

    monkeypatch.setattr(verification, "verify_chain", counting)
    return names


def trust(*certificates: Made) -> TrustStore:
    return TrustStore([made.certificate for made in certificates or (ROOT,)])


def key(
    store: TrustStore, now: datetime = TODAY, name: str = "example.com", chain: tuple[bytes, ...] = CHAIN
) -> PublicKeyTypes:
    return authenticated_key(chain, parse_server_name(name), store, now)


def test_the_same_chain_is_verified_once(verified: list[str]) -> None:
    store = trust()
    assert key(store) is key(store)
    assert key(store) == LEAF.key.public_key()
    assert verified == ["example.com"]


def test_another_name_is_verified(verified: list[str]) -> None:
    store = trust()
    key(store)
    key(store, name="www.example.com")
    with pytest.raises(HandshakeError, match=r"not for 'example\.org'"):
        key(store, name="example.org")
    assert verified == ["example.com", "www.example.com", "example.org"]


def test_another_chain_is_verified(verified: list[str]) -> None:
    store = trust()
    key(store)
    with pytest.raises(HandshakeError, match="not in the trust store"):
        key(store, chain=CHAIN[:1])
    assert len(verified) == 2


def test_another_trust_store_is_asked_itself(verified: list[str]) -> None:
    key(trust())
    with pytest.raises(HandshakeError, match="not in the trust store"):
        key(trust(make("stranger", ca=True)))
    assert len(verified) == 2


def test_a_failure_is_not_remembered(verified: list[str]) -> None:
    store = trust()
    for _ in range(2):
        with pytest.raises(HandshakeError, match="not in the trust store"):
            key(store, chain=CHAIN[:1])
    assert len(verified) == 2
    assert len(store.verified) == 0


@pytest.mark.parametrize(
    ("days", "refused"),
    [
        (-1.01, r"'CN=leaf' is not valid before"),  # the newest of the three
        (10.01, r"'CN=intermediate' expired on"),  # the first of them to expire
        (20.01, r"expired on"),
    ],
)
def test_the_whole_path_must_be_valid_now(verified: list[str], days: float, refused: str) -> None:
    store = trust()
    key(store)
    with pytest.raises(HandshakeError, match=refused):
        key(store, TODAY + days * DAY)
    assert len(verified) == 2


@pytest.mark.parametrize("days", [-1, 10])
def test_as_long_as_the_path_is_valid(verified: list[str], days: int) -> None:
    store = trust()
    key(store)
    key(store, TODAY + days * DAY)
    assert len(verified) == 1


def test_a_certificate_that_is_trusted_itself(verified: list[str]) -> None:
    """It needs no path, and what comes with it does not matter."""
    store = trust(LEAF)
    for days in (0, 0, 14):
        key(store, TODAY + days * DAY)
    assert len(verified) == 1
    with pytest.raises(HandshakeError, match="expired on"):
        key(store, TODAY + 16 * DAY)


def test_the_oldest_chains_make_room() -> None:
    cache = ChainCache()
    public_key = LEAF.key.public_key()
    for number in range(MAX_CACHED_CHAINS + 3):
        cache.add(CHAIN, f"host{number}", ALWAYS, public_key)
    assert len(cache) == MAX_CACHED_CHAINS
    assert cache.key_of(CHAIN, "host2", TODAY) is None
    assert cache.key_of(CHAIN, "host3", TODAY) is public_key


def test_many_threads() -> None:
    cache = ChainCache()
    public_key = LEAF.key.public_key()

    def connect(number: int) -> None:
        name = f"host{number % (2 * MAX_CACHED_CHAINS)}"
        if cache.key_of(CHAIN, name, TODAY) is None:
            cache.add(CHAIN, name, ALWAYS, public_key)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(connect, range(4000)))
    assert 0 < len(cache) <= MAX_CACHED_CHAINS
