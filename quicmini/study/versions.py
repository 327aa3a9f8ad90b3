"""What the versions of QUIC are called."""

from __future__ import annotations

from quicmini.wire.packet import VERSION_1, VERSION_2

__all__ = ["numbered_version", "version_name"]

_NAMES = {0: "Version Negotiation", VERSION_1: "QUIC v1", VERSION_2: "QUIC v2"}
_DRAFTS = 0xFF0000  # the number of a draft is the last byte


def version_name(version: int) -> str:
    """What is known of a version; those of the pattern 0x?a?a?a?a mean nothing (RFC 9000 §15)."""
    if version >> 8 == _DRAFTS:
        return f"draft-ietf-quic-transport-{version & 0xFF}"
    if version & 0x0F0F0F0F == 0x0A0A0A0A:
        return "reserved"
    return _NAMES.get(version, "unknown")


def numbered_version(version: int) -> str:
    """The same with its number."""
    return f"{version_name(version)} ({version:#010x})"
