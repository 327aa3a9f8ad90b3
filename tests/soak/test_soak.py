"""Short runs of the whole: thirty clients for twenty seconds, with a server that is killed, and with two on a bus."""

from __future__ import annotations

from pathlib import Path

from tests.soak.run import Outcome, run
from tests.soak.settings import Settings
from tests.soak.summary import summary

# What takes minutes otherwise happens often enough here: dark times last as long as the idle timeout does.
SETTINGS = Settings(
    clients=30, rooms=2, rate=10.0, seconds=20.0, moves=1.0, blackouts=0.5, deaths=0.1, crowd=9, idle_timeout=4.0
)
KILLED = Settings(
    clients=16, rooms=2, rate=8.0, seconds=15.0, kill_server=3, moves=0.5, blackouts=0.2, crowd=7, idle_timeout=4.0
)
SEVERAL = Settings(
    clients=16,
    rooms=2,
    rate=8.0,
    seconds=10.0,
    servers=2,
    restart_redis=2,
    kill_server=1,
    moves=0.5,
    blackouts=0.2,
    crowd=7,
    idle_timeout=4.0,
)


def soaked(settings: Settings, directory: Path) -> Outcome:
    outcome = run(settings, directory)
    assert outcome.findings == [], summary(outcome)
    return outcome


def test_everyone_sees_everything_once(tmp_path: Path) -> None:
    outcome = soaked(SETTINGS, tmp_path)
    assert outcome.kept > 0
    assert outcome.crowd_deaths == 2
    events = {letter for record in outcome.records.values() for letter in record.events}
    assert events >= {"L", "M"}  # somebody was lost, and came back; somebody moved


def test_nothing_confirmed_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    outcome = soaked(KILLED, tmp_path)
    assert outcome.server_deaths == 3
    assert outcome.kept > 0


def test_two_servers_on_one_redis_promise_the_same(tmp_path: Path) -> None:
    outcome = soaked(SEVERAL, tmp_path)
    assert outcome.bus_deaths == 2
    assert outcome.server_deaths == 1
    assert outcome.kept > 0
    assert {record.home for record in outcome.records.values()} == {0, 1}
    assert any(len(set(record.servers)) == 2 for record in outcome.records.values())  # somebody moved to the other
