"""The Retry Integrity Tag covers the whole packet and the connection ID that is not in it."""

from __future__ import annotations

from quicmini.crypto.retry import RETRY_INTEGRITY_TAG_LENGTH, retry_integrity_tag
from quicmini.wire.packet import VERSION_1, VERSION_2

RETRY = b"\xff\x00\x00\x00\x01\x00\x08serverIDtoken"
DCID = b"clientID"


def test_the_tag_depends_on_everything_it_covers() -> None:
    tags = {
        retry_integrity_tag(RETRY, DCID, VERSION_1),
        retry_integrity_tag(RETRY, DCID, VERSION_2),
        retry_integrity_tag(RETRY, DCID[:-1], VERSION_1),
        retry_integrity_tag(RETRY, b"", VERSION_1),
        *(retry_integrity_tag(RETRY[:at] + b"?" + RETRY[at + 1 :], DCID, VERSION_1) for at in range(len(RETRY))),
    }
    assert len(tags) == 4 + len(RETRY)
    assert {len(tag) for tag in tags} == {RETRY_INTEGRITY_TAG_LENGTH}


def test_the_connection_id_cannot_pass_for_packet_bytes() -> None:
    """Its length is part of what is authenticated (RFC 9001 §5.8)."""
    assert retry_integrity_tag(b"D" + RETRY, b"clientI", VERSION_1) != retry_integrity_tag(
        RETRY, b"clientID", VERSION_1
    )
