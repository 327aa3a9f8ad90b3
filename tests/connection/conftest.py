"""Fixtures of the tests of connections."""

from __future__ import annotations

import pytest

from tests.certificates import CertificateFiles
from tests.connection.duel import Duel
from tests.connection.early import Early


@pytest.fixture(params=[True, False], ids=["server", "client"])
def duel(request: pytest.FixtureRequest, server_files: CertificateFiles) -> Duel:
    """The handshake is over; the victim is a server, then a client."""
    return Duel(server_files, victim_is_server=request.param)


@pytest.fixture
def early(server_files: CertificateFiles) -> Early:
    """A session with a server that takes early data."""
    return Early(server_files)
