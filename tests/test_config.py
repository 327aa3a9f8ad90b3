"""What a user may choose, and what is refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from quicmini import Config
from quicmini.config import MAX_CONCURRENT_STREAMS, MAX_SESSION_TICKETS


def test_the_defaults_are_accepted() -> None:
    assert Config() == Config()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("idle_timeout", -1),
        ("keep_alive_interval", 0),
        ("max_data", 2**62),
        ("max_stream_data", -1),
        ("max_streams_bidi", MAX_CONCURRENT_STREAMS + 1),
        ("max_streams_uni", -1),
        ("max_datagram_size", 1199),
        ("max_datagram_size", 65528),
        ("max_datagram_frame_size", -1),
        ("max_datagram_frame_size", 65536),
        ("send_buffer_size", 0),
        ("send_buffer_total", 0),
        ("initial_rtt", 0),
        ("cipher_suites", ()),
        ("groups", ()),
        ("max_pending", 0),
        ("session_tickets", -1),
        ("session_tickets", MAX_SESSION_TICKETS + 1),
        ("versions", ()),
        ("versions", (1, 2)),
        ("initial_version", 2),
    ],
)
def test_what_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Config(**{name: value})
