"""Fixtures of the recorders' tests."""

from __future__ import annotations

import pytest

from tests.certificates import Authority, CertificateFiles
from tests.observe.recorded import Talk


@pytest.fixture
def talk(authority: Authority, server_files: CertificateFiles) -> Talk:
    return Talk(authority, server_files)
