"""Versions and their names."""

from __future__ import annotations

import pytest

from quicmini.study.versions import numbered_version, version_name
from quicmini.wire.packet import VERSION_2


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (1, "QUIC v1"),
        (VERSION_2, "QUIC v2"),
        (0xFF00001D, "draft-ietf-quic-transport-29"),
        (0x1A2A3A4A, "reserved"),
        (7, "unknown"),
    ],
)
def test_names_of_versions(version: int, name: str) -> None:
    assert version_name(version) == name
    assert numbered_version(version) == f"{name} (0x{version:08x})"
