"""The I/O thread with connections that only write down what it does with them."""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import Any, cast

import pytest

from quicmini.connection.connection import Connection as Core
from quicmini.connection.endpoint import Endpoint
from quicmini.connection.state import Address, Transmit
from quicmini.sync import loop as module
from quicmini.sync.loop import Arrivals, Loop, Timer
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE, in_thread, until


class FakeCore:
    remote_address = ("192.0.2.1", 4433)


class FakeEndpoint:
    """Routes datagrams by their first byte; creates what it does not know."""

    def __init__(self) -> None:
        self.cores: dict[int, FakeCore] = {}
        self.transmits: list[Transmit] = []
        self.forgotten: list[FakeCore] = []
        self.breaks = False

    def receive(self, datagrams: list[bytes], source: Address, now: float) -> list[tuple[FakeCore, list[bytes]]]:
        if self.breaks:
            self.breaks = False
            raise RuntimeError("a bug of the endpoint")
        return [(self.cores.setdefault(datagram[0], FakeCore()), [datagram]) for datagram in datagrams]

    def forget(self, core: FakeCore) -> None:
        self.forgotten.append(core)


class FakeDriver:
    def __init__(self, core: Any) -> None:
        self.core = core
        self.lock = threading.Lock()
        self.timers: list[Timer] = []
        self.finished = False
        self.lingers = True
        self.received: list[list[bytes]] = []
        self.fired: list[float] = []
        self.unblocked = 0
        self.failed = 0
        self.breaks = False
        self.interrupted: BaseException | None = None

    def receive(self, arrivals: Arrivals) -> None:
        for datagrams, _, _, _ in arrivals:
            self.received.append(datagrams)
        if self.breaks:
            raise RuntimeError("a bug of the core")

    def run_timers(self) -> None:
        if self.interrupted is not None:
            raise self.interrupted
        self.fired.append(monotonic())

    def send_blocked(self) -> None:
        self.unblocked += 1

    def fail(self) -> None:
        self.failed += 1
        self.finished = True

    def close(self, error_code: int, reason: str) -> None:
        pass

    def unreachable(self, error: OSError) -> None:
        pass


class Rig:
    """A loop over a real socket, and a plain socket to talk to it."""

    def __init__(self, *, started: bool = True) -> None:
        self.endpoint = FakeEndpoint()
        self.drivers: list[FakeDriver] = []
        self.udp = UdpSocket.bind(socket.AF_INET, ("127.0.0.1", 0))
        self.loop = Loop(self.udp, cast(Endpoint, self.endpoint), name="loop under test", adopt=self.adopt)
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.connect(self.udp.local_address)
        if started:
            self.loop.start()

    def adopt(self, core: Core) -> FakeDriver:
        driver = FakeDriver(core)
        self.drivers.append(driver)
        return driver

    def driver(self) -> FakeDriver:
        driver = FakeDriver(FakeCore())
        self.loop.add(driver)
        return driver


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.loop.stop()
    rig.loop.thread.join(PATIENCE)
    rig.peer.close()
    assert not rig.loop.thread.is_alive()


@pytest.fixture
def idle() -> Iterator[Rig]:
    """Its thread is started when the test is over."""
    rig = Rig(started=False)
    yield rig
    rig.loop.start()
    rig.loop.stop()
    rig.loop.thread.join(PATIENCE)
    rig.peer.close()
    assert not rig.loop.thread.is_alive()


def run_turn(rig: Rig, driver: FakeDriver, timeout: float | None = PATIENCE) -> bool:
    with driver.lock:
        return rig.loop.run_turn(driver, timeout)


def test_datagrams_reach_their_connections(rig: Rig) -> None:
    for datagram in (b"a1", b"b1", b"a2"):
        rig.peer.send(datagram)
    until(lambda: sum(len(batch) for driver in rig.drivers for batch in driver.received) == 3)
    received = [[datagram for batch in driver.received for datagram in batch] for driver in rig.drivers]
    assert received == [[b"a1", b"a2"], [b"b1"]]


@pytest.mark.parametrize("largest_fd", [1024, 0])
def test_a_timer_fires_once_and_not_early(rig: Rig, monkeypatch: pytest.MonkeyPatch, largest_fd: int) -> None:
    """With `select`, and with `poll` where a process has too many descriptors for it."""
    monkeypatch.setattr("quicmini.sync.loop._FD_SETSIZE", largest_fd)
    driver = rig.driver()
    due = monotonic() + 0.02
    rig.loop.schedule(driver, due)
    until(lambda: driver.fired)
    assert driver.fired[0] >= due
    assert driver.timers == []
    assert len(driver.fired) == 1


def test_an_earlier_deadline_wakes_the_sleeping_thread(rig: Rig) -> None:
    driver = rig.driver()
    rig.loop.schedule(driver, monotonic() + 1000)
    until(lambda: rig.loop._asleep_until > monotonic() + 900)
    rig.loop.schedule(driver, monotonic())
    until(lambda: driver.fired)
    assert len(driver.timers) == 1


def test_a_later_deadline_costs_nothing(rig: Rig) -> None:
    driver = rig.driver()
    rig.loop.schedule(driver, monotonic() + 1000)
    for seconds in range(1000, 2000):
        rig.loop.schedule(driver, monotonic() + seconds)
    assert len(driver.timers) == 1
    assert len(rig.loop._timers) == 1


def test_timers_of_many_connections_fire_in_order(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = threading.Event()
    first = rig.driver()
    monkeypatch.setattr(first, "run_timers", lambda: ready.wait(PATIENCE))
    now = monotonic()
    rig.loop.schedule(first, now)
    drivers = [rig.driver() for _ in range(100)]
    for number, driver in reversed(list(enumerate(drivers))):
        rig.loop.schedule(driver, now + number / 100_000)
    ready.set()
    until(lambda: all(driver.fired for driver in drivers))
    fired = [driver.fired[0] for driver in drivers]
    assert fired == sorted(fired)


def test_a_bug_in_one_connection_ends_that_one_only(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.peer.send(b"a")
    rig.peer.send(b"b")
    until(lambda: len(rig.drivers) == 2)
    bad, good = rig.drivers
    rig.loop.schedule(bad, monotonic() + 1000)
    bad.breaks = True
    rig.peer.send(b"a")
    until(lambda: rig.endpoint.forgotten)
    rig.peer.send(b"b again")
    until(lambda: [b"b again"] in good.received)
    assert bad.failed == 1
    assert rig.endpoint.forgotten == [bad.core]
    assert good.failed == 0
    assert "a bug of the core" in caplog.text
    # Nothing in the timer heap keeps it alive.
    assert all(timer[2] is None for timer in rig.loop._timers)


def test_the_thread_outlives_a_bug_of_the_endpoint(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.endpoint.breaks = True
    rig.peer.send(b"x")
    until(lambda: not rig.endpoint.breaks)
    rig.peer.send(b"y")
    until(lambda: rig.drivers)
    assert "a bug of the endpoint" in caplog.text


def test_stateless_answers_are_sent(rig: Rig) -> None:
    rig.endpoint.transmits.append(Transmit(b"answer", 1200, rig.peer.getsockname()))
    rig.peer.send(b"x")
    assert select.select([rig.peer], [], [], PATIENCE)[0]
    assert rig.peer.recv(100) == b"answer"
    assert rig.endpoint.transmits == []


def test_what_a_full_socket_refuses_is_sent_later_and_in_order(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = rig.driver()
    full = threading.Event()
    full.set()
    send = rig.udp.send

    def send_unless_full(transmit: Transmit) -> Transmit | None:
        return transmit if full.is_set() else send(transmit)

    monkeypatch.setattr(UdpSocket, "send", lambda _, transmit: send_unless_full(transmit))
    for number in range(5):
        rig.loop.send(Transmit(b"%d" % number, 1200, rig.peer.getsockname()))
    assert not rig.loop.has_room(driver)
    assert driver.unblocked == 0
    full.clear()
    rig.loop.wake()
    until(lambda: driver.unblocked)
    assert [rig.peer.recv(10) for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert rig.loop.has_room(driver)


@pytest.mark.parametrize("seconds", [0.0, 2 * module._SHORT_SLEEP])
def test_a_backlog_may_begin_while_the_thread_goes_to_sleep(idle: Rig, seconds: float) -> None:
    """It rings then; this sleep goes on as it began."""

    class Beginning(deque[Transmit]):
        looks = 0

        def __bool__(self) -> bool:
            self.looks += 1
            return self.looks > 1

    idle.loop._backlog = Beginning([Transmit(b"a", 1, idle.peer.getsockname())])
    assert idle.loop._block(seconds) == []


def test_it_ends_with_its_last_connection(rig: Rig) -> None:
    driver = rig.driver()
    rig.loop.close()
    rig.loop.wake()
    assert rig.loop.thread.is_alive()
    driver.lingers = False
    rig.loop.wake()
    rig.loop.thread.join(PATIENCE)
    assert not rig.loop.thread.is_alive()
    assert rig.udp.fileno() == -1


def test_it_ends_after_lingering(rig: Rig) -> None:
    rig.driver()
    rig.loop.close(linger=0.01)
    rig.loop.thread.join(PATIENCE)
    assert not rig.loop.thread.is_alive()


def test_a_socket_is_closed_by_nobody_but_who_has_the_turn(idle: Rig) -> None:
    """Who waits for it would wait for a descriptor that may be another file's a moment later."""
    udp = UdpSocket.bind(socket.AF_INET, ("127.0.0.1", 0))
    idle.loop.add_socket(udp)
    idle.loop.remove_socket(udp)
    idle.loop.remove_socket(udp)
    assert udp.fileno() >= 0
    assert run_turn(idle, idle.driver(), 0)
    assert udp.fileno() < 0


def test_a_socket_that_comes_after_the_end_is_closed_all_the_same(rig: Rig) -> None:
    rig.loop.stop()
    rig.loop.thread.join(PATIENCE)
    udp = UdpSocket.bind(socket.AF_INET, ("127.0.0.1", 0))
    rig.loop.add_socket(udp)
    rig.loop.remove_socket(udp)
    assert udp.fileno() < 0


def test_calls_after_its_end_are_harmless(rig: Rig) -> None:
    driver = rig.driver()
    rig.loop.stop()
    rig.loop.thread.join(PATIENCE)
    rig.loop.wake()
    rig.loop.schedule(driver, monotonic())
    rig.loop.send(Transmit(b"x", 1200, rig.peer.getsockname()))


def test_timers_that_are_always_due_do_not_keep_the_socket_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = rig.driver()
    monkeypatch.setattr(driver, "run_timers", lambda: rig.loop.schedule(driver, 0.0))
    rig.loop.schedule(driver, 0.0)
    rig.peer.send(b"a")
    until(lambda: rig.drivers)


# Turns of other threads than its own


def test_a_turn_does_what_the_thread_would_do(idle: Rig) -> None:
    driver = idle.driver()
    idle.peer.send(b"a")
    assert run_turn(idle, driver)
    assert idle.drivers[0].received == [[b"a"]]
    idle.loop.schedule(driver, monotonic())
    assert run_turn(idle, driver)
    assert driver.fired
    assert not driver.lock.locked()


def test_a_turn_ends_at_its_deadline(idle: Rig) -> None:
    start = monotonic()
    assert run_turn(idle, idle.driver(), 0.02)
    assert monotonic() - start >= 0.02


def test_no_turn_while_another_thread_has_it(idle: Rig) -> None:
    with idle.loop.turns:
        assert not run_turn(idle, idle.driver())


def test_a_ring_ends_a_turn(idle: Rig) -> None:
    driver = idle.driver()
    turn = in_thread(run_turn, idle, driver, 10 * PATIENCE)
    until(lambda: idle.loop.turns.purpose is driver)
    idle.loop.ring()
    assert turn.result(PATIENCE) is True


def test_no_turn_touches_the_socket_after_its_end(idle: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    driver = rig.driver()
    rig.loop.stop()
    rig.loop.thread.join(PATIENCE)
    rig.peer.close()
    monkeypatch.setattr(rig.loop, "_turn", lambda longest: pytest.fail("a turn of a loop that has ended"))
    assert run_turn(rig, driver)


def test_an_interrupted_turn_leaves_nothing_behind(idle: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, most often while the thread sleeps."""
    driver = idle.driver()

    def interrupt(longest: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(idle.loop, "_wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_turn(idle, driver)
    assert not driver.lock.locked()
    idle.peer.send(b"a")
    assert run_turn(idle, driver)
    assert idle.drivers


def test_an_interrupt_costs_no_other_connection_its_timer(idle: Rig) -> None:
    """What was under way is half done, and that connection ends; the others know nothing of it."""
    now = monotonic()
    hit, next_one = idle.driver(), idle.driver()
    hit.interrupted = KeyboardInterrupt()
    idle.loop.schedule(hit, now - 2)
    idle.loop.schedule(next_one, now - 1)
    with pytest.raises(KeyboardInterrupt):
        run_turn(idle, next_one)
    assert hit.failed == 1
    assert idle.endpoint.forgotten == [hit.core]
    start = monotonic()
    assert run_turn(idle, next_one)
    assert next_one.fired
    assert monotonic() - start < PATIENCE


def test_it_ends_although_its_last_connection_ended_in_the_turn_of_another_thread() -> None:
    """While its own thread waited for that turn to be over: it must not sleep once more."""
    rig = Rig(started=False)
    driver = rig.driver()
    rig.loop.close()
    assert run_turn(rig, driver)  # hears of `close`
    assert rig.loop.turns.take(driver)
    rig.loop.start()
    driver.lingers = False
    rig.loop.turns.give_back()
    rig.loop.thread.join(PATIENCE)
    rig.peer.close()
    assert not rig.loop.thread.is_alive()


# Looking out before sleeping


def test_it_looks_out_if_the_last_wait_was_short(idle: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    block = idle.loop._block

    def sleep(seconds: float) -> list[int]:
        slept.append(seconds)
        return block(seconds)

    monkeypatch.setattr(idle.loop, "_block", sleep)
    monkeypatch.setattr(module, "SPIN_TIME", PATIENCE)
    driver = idle.driver()
    idle.peer.send(b"a")
    run_turn(idle, driver)
    assert len(slept) == 1
    idle.peer.send(b"b")
    run_turn(idle, driver)
    assert len(slept) == 1
    assert [driver.received for driver in idle.drivers] == [[[b"a"]], [[b"b"]]]


def test_what_it_has_looked_out_for_came_alone(idle: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is looked for until that is dealt with; what was there before comes together."""
    monkeypatch.setattr(module, "SPIN_TIME", PATIENCE)
    monkeypatch.setattr(module, "sched_yield", lambda: [idle.peer.send(datagram) for datagram in (b"a", b"b")])
    driver = idle.driver()
    seen = []
    for _ in range(2):
        idle.loop._lively = True
        run_turn(idle, driver)
        seen.append([datagram for each in idle.drivers for [datagram] in each.received])
        idle.peer.send(b"c")
    assert seen == [[b"a"], [b"a", b"b", b"c"]]


def test_it_looks_out_in_vain_once_and_sleeps_no_longer_for_it(idle: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> list[int]:
        slept.append(seconds)
        return []

    monkeypatch.setattr(idle.loop, "_block", sleep)
    monkeypatch.setattr(module, "SPIN_TIME", 0.02)
    idle.loop._lively = True
    run_turn(idle, idle.driver(), 0.1)
    assert slept[0] <= 0.08
    assert not idle.loop._lively


def test_it_does_not_look_out_while_others_wait(idle: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may have something to do on this processor."""
    monkeypatch.setattr(idle.loop, "_look_out", lambda until: pytest.fail("looked out"))
    idle.loop._lively = True
    idle.loop.turns.waiting = 1
    idle.peer.send(b"a")
    with idle.loop.turns:
        idle.loop._turn(PATIENCE)
    assert idle.drivers
