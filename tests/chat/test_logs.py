"""What a line of the log looks like, and that nobody else's bytes make another one of it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable

import pytest

from chat.logs import _Json, _Text, connection_log
from quicmini import Connection


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("chat", logging.WARNING, "file.py", 1, message, arguments, None)
    made.__dict__.update(extra)
    made.created = 1_900_000_000.5
    return made


def failed(text: str) -> logging.LogRecord:
    made = record("it failed")
    try:
        raise ValueError(text)
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_text() -> None:
    formatter = _Text(timestamps=False)
    assert formatter.format(record("%d clients", 3)) == "[WARNING] 3 clients"
    assert formatter.format(record("hello", connection="1f2e")) == "[WARNING] hello (connection 1f2e)"


def test_text_with_the_time() -> None:
    line = _Text(timestamps=True).format(record("hello"))
    assert line.endswith(" [WARNING] hello")
    assert line.startswith("2030-03-1")


def test_json() -> None:
    formatter = _Json()
    assert json.loads(formatter.format(record("%s says ✓", "zoë", connection="1f2e"))) == {
        "time": "2030-03-17T17:46:40.500+00:00",
        "level": "WARNING",
        "message": "zoë says ✓",
        "connection": "1f2e",
    }
    assert "zoë" in formatter.format(record("%s", "zoë"))
    assert json.loads(formatter.format(failed("why")))["traceback"][-1] == "ValueError: why"


@pytest.mark.parametrize("format", [_Text(timestamps=False).format, _Json().format])
@pytest.mark.parametrize("nasty", ["\x1b[2J", "a\n[INFO] forged", "a\r", "\x9b31m", "\u202eabc", "\x07"])
def test_escapes_and_line_ends_do_nothing(format: Callable[[logging.LogRecord], str], nasty: str) -> None:
    for made in (record(nasty), record("%s says", nasty), failed(nasty)):
        line = format(made)
        assert all(part.isprintable() for part in line.split("\n"))
        assert not any(part.startswith("[INFO]") for part in line.split("\n")[1 if made.exc_info else 0 :])


def test_records_of_a_connection_carry_its_id(
    pair: tuple[Connection, Connection], caplog: pytest.LogCaptureFixture
) -> None:
    client, server = pair
    for connection in (client, server):
        connection_log(connection).warning("hello %s", "there")
    (first, second) = caplog.records
    assert first.getMessage() == "hello there"
    assert vars(first)["connection"] == vars(second)["connection"] == client.original_connection_id.hex()
