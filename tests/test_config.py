"""What a user may choose, and what is refused with a sentence."""

from __future__ import annotations

import math
from typing import Any

import pytest

from quicmini import Config
from quicmini.config import MAX_CONCURRENT_STREAMS, MAX_IDLE_TIMEOUT, MAX_SESSION_TICKETS


def test_the_defaults_are_accepted() -> None:
    assert Config() == Config()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("idle_timeout", -1),
        ("idle_timeout", math.nan),
        ("idle_timeout", math.inf),
        ("idle_timeout", MAX_IDLE_TIMEOUT + 1),
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
        ("initial_rtt", math.inf),
        ("cipher_suites", ()),
        ("cipher_suites", ("TLS_AES_128_GCM_SHA256",)),
        ("groups", ()),
        ("groups", ("x25519",)),
        ("max_pending", 0),
        ("session_tickets", -1),
        ("session_tickets", MAX_SESSION_TICKETS + 1),
        ("versions", ()),
        ("versions", (1, 2)),
        ("initial_version", 2),
        ("stateless_reset_key", b"short"),
        ("ticket_keys", (bytes(32), bytes(16))),
        ("ticket_keys", ("a" * 32,)),
        ("preferred_address", ("localhost", 4433)),
        ("preferred_address", ("0.0.0.0", 4433)),
        ("preferred_address", ("127.0.0.1", 0)),
        ("preferred_address", ("127.0.0.1", "4433")),
        ("preferred_address", ("127.0.0.1",)),
    ],
)
def test_what_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Config(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("idle_timeout", "30", "int or float"),
        ("idle_timeout", None, "int or float"),
        ("keep_alive_interval", "1", "int or float"),
        ("max_data", 1e6, "int"),
        ("max_datagram_size", 1500.0, "int"),
        ("early_data", "yes", "bool"),
        ("cipher_suites", [0x1301], "tuple"),
        ("versions", 1, "tuple"),
        ("initial_version", "1", "int"),
        ("stateless_reset_key", "sixteen letters!", "bytes"),
        ("ticket_keys", bytes(32), "tuple"),
        ("preferred_address", "127.0.0.1:4433", "tuple"),
        ("keylog", "keys.log", "Callable"),
        ("observer", "qlog", "Callable"),
        ("capture", "talk.pcapng", "Capture"),
    ],
)
def test_what_is_of_another_type_is_refused_by_name(name: str, value: Any, wanted: str) -> None:
    """Not later, when the I/O thread meets it."""
    with pytest.raises(TypeError, match=f"^{name} must be of type {wanted} "):
        Config(**{name: value})


def test_whole_numbers_of_seconds_are_numbers_too() -> None:
    assert Config(idle_timeout=MAX_IDLE_TIMEOUT, keep_alive_interval=5, keylog=print).keep_alive_interval == 5


def test_secret_keys_are_not_printed() -> None:
    key = bytes(range(65, 97))
    shown = repr(Config(stateless_reset_key=key, ticket_keys=(key,)))
    assert "ABC" not in shown
