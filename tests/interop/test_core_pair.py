"""Our core against aioquic's, in both roles."""

from __future__ import annotations

import pytest

from tests.certificates import CertificateFiles
from tests.interop.core_pair import CorePair

ROLES = ("client", "server")


@pytest.fixture(params=ROLES)
def pair(request: pytest.FixtureRequest, server_files: CertificateFiles) -> CorePair:
    """Connected; the role is ours."""
    pair = CorePair(request.param, server_files)
    pair.handshake()
    return pair


def test_bytes_go_both_ways(pair: CorePair) -> None:
    pair.transfer(100_000)


def test_we_update_the_keys(pair: CorePair) -> None:
    """RFC 9001 §6: again and again, with data in between."""
    for count in range(1, 4):
        pair.ours.update_keys()
        pair.transfer(20_000)
        assert pair.ours.stats().key_updates == count
        pair.run(3.0)  # three probe timeouts and more
    assert pair.ours.error is None


def test_they_update_the_keys(pair: CorePair) -> None:
    for count in range(1, 4):
        pair.theirs.request_key_update()
        pair.transfer(20_000)
        assert pair.ours.stats().key_updates == count
        pair.run(3.0)
    assert pair.ours.error is None
