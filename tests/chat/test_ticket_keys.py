"""The keys of session tickets: kept, changed daily, and good for the server that is started next."""

from __future__ import annotations

import queue
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from chat.message import Dialect, Kind, Message
from chat.ticket_keys import FILE, KEY_LIFETIME, changing, kept_keys
from quicmini import Session, connect
from tests.chat.processes import Server
from tests.sync.helpers import until

NOW = 1_900_000_000.0


def test_they_stay_the_same_and_are_nobody_elses(tmp_path: Path) -> None:
    (key,) = kept_keys(tmp_path / "state", NOW)
    assert kept_keys(tmp_path / "state", NOW + KEY_LIFETIME - 1) == (key,)
    assert (tmp_path / "state" / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [FILE]


def test_they_are_changed(tmp_path: Path) -> None:
    """Each opens for a day longer than it seals."""
    (first,) = kept_keys(tmp_path, NOW)
    second, *others = kept_keys(tmp_path, NOW + KEY_LIFETIME)
    assert (others, second != first) == ([first], True)
    third, *others = kept_keys(tmp_path, NOW + 2 * KEY_LIFETIME)
    assert (others, third not in (first, second)) == ([second], True)
    assert set(kept_keys(tmp_path, NOW + 5 * KEY_LIFETIME)).isdisjoint({first, second, third})


@pytest.mark.parametrize("text", ["", "nonsense\n", "12 zz\n", f"{NOW:.0f} 0011\n", f"{NOW + 1000:.0f} {'00' * 32}\n"])
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    """Half a file, or a clock that was put back."""
    (tmp_path / FILE).write_text(text)
    (key,) = kept_keys(tmp_path, NOW)
    assert key != bytes(32)
    assert kept_keys(tmp_path, NOW) == (key,)


def test_a_server_that_runs_for_days(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = NOW
    replaced: queue.SimpleQueue[Sequence[bytes]] = queue.SimpleQueue()
    with changing(tmp_path, replaced.put, interval=0.01, clock=lambda: now):
        (first,) = replaced.get(timeout=30)
        now += KEY_LIFETIME
        assert list(replaced.get(timeout=30))[1:] == [first]
    assert replaced.empty()
    assert not caplog.records


def test_a_directory_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    looks: queue.SimpleQueue[None] = queue.SimpleQueue()

    def clock() -> float:
        looks.put(None)
        return NOW

    with changing(tmp_path / "file", lambda keys: None, interval=0.01, clock=clock):
        for _ in range(5):
            looks.get(timeout=30)
    assert ["the keys of session tickets stay the old ones" in record.message for record in caplog.records] == [True]


def visit(server: Server, session: Session | None = None) -> tuple[Session, bool, bool | None]:
    """Connect, with early data if there is a session: the new one, whether the old was resumed, and the data taken."""
    with connect(
        server.address,
        alpn_protocols=[Dialect.CHAT],
        cafile=server.cafile,
        session=session,
        early_data=session is not None,
    ) as connection:
        if session is not None:
            connection.open_stream().sendall(Message("zoe", "", kind=Kind.WHO).encode(Dialect.CHAT), end_stream=True)
        connection.handshake(30)
        until(lambda: connection.session not in (None, session))
        assert connection.session is not None
        return connection.session, connection.session_resumed, connection.early_data_accepted


def test_a_restarted_server_resumes(tmp_path: Path) -> None:
    """What the killed one began. Early data it takes with tickets of its own; whether with older ones, time decides."""
    with Server(tmp_path) as server:
        session, *_ = visit(server)
        session, *fared = visit(server, session)
        assert fared == [True, True]
        server.signal(signal.SIGKILL)
        server.wait()
    with Server(tmp_path) as server:
        session, resumed, _ = visit(server, session)
        assert resumed
        session, *fared = visit(server, session)
        assert fared == [True, True]
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
