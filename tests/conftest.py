"""Fixtures that every test may ask for: a certificate authority and certificates of each kind, made once a session."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.certificates import Authority, CertificateFiles

# The same examples in every run: what fails here fails everywhere, and nobody's change fails by chance.
settings.register_profile("replayed", derandomize=True)
settings.load_profile("replayed")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An ECDSA certificate authority of the test session."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_files(authority: Authority) -> CertificateFiles:
    """An ECDSA P-256 certificate for localhost, 127.0.0.1 and ::1."""
    return authority.issue()


@pytest.fixture(scope="session")
def rsa_files(authority: Authority) -> CertificateFiles:
    """An RSA certificate for the same names."""
    return authority.issue(kind="rsa")


@pytest.fixture(scope="session")
def ed25519_files(authority: Authority) -> CertificateFiles:
    """An Ed25519 certificate for the same names."""
    return authority.issue(kind="ed25519")
