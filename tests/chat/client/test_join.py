from __future__ import annotations

import argparse
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from chat.client import join
from chat.client.keeper import NotConfirmed
from chat.problems import Problem
from chat.trust import Trust

OPTIONS = argparse.Namespace(server=("127.0.0.1", 4242), nick="zoe", room="lobby", patience=0.0, stats=None)


@pytest.mark.parametrize(
    ("unconfirmed", "cause", "told"),
    [
        (0, None, []),
        (1, None, ["not confirmed by the server: 1 message"]),
        (2, ConnectionRefusedError(), ["not confirmed by the server: 2 messages"]),
        (2, NotConfirmed("left before the server had confirmed 2 messages"), []),  # says it itself
    ],
)
def test_what_is_lost_is_told(
    unconfirmed: int,
    cause: Exception | None,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before the sentence that says why the session has ended."""

    def show(*_arguments: object) -> int:
        raise Problem("the server is gone") from cause

    monkeypatch.setattr(join, "Session", lambda *_, **__: SimpleNamespace(unconfirmed=unconfirmed, wire=None))
    monkeypatch.setattr(join, "_show", show)
    with caplog.at_level(logging.WARNING), pytest.raises(Problem):
        join._join(OPTIONS, Trust(tmp_path), "", None, interface=False)
    assert caplog.messages == told
