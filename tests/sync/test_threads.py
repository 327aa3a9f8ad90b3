"""Threads that are used again."""

from __future__ import annotations

import gc
import os
import threading
import weakref

from quicmini.sync import threads as module
from quicmini.sync.threads import MAX_IDLE, IoThread
from tests.sync.helpers import PATIENCE, until


def idle() -> int:
    return len(module._idle)


def run(name: str = "some work") -> threading.Thread:
    """Run something, wait for its end; the thread that did it."""
    seen: list[threading.Thread] = []
    names: list[str] = []

    def work() -> None:
        seen.append(threading.current_thread())
        names.append(threading.current_thread().name)

    thread = IoThread(work, name)
    before = idle()
    assert not thread.is_alive()
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert names == [name]
    until(lambda: idle() >= min(max(before, 1), MAX_IDLE))
    return seen[0]


def test_a_thread_is_used_again() -> None:
    assert run("first") is run("second")


def test_work_at_the_same_time_has_threads_of_its_own() -> None:
    enough = threading.Barrier(2 * MAX_IDLE)

    def work() -> None:
        enough.wait(PATIENCE)

    together = [IoThread(work, "together") for _ in range(2 * MAX_IDLE)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not enough.broken
    until(lambda: not [each for each in threading.enumerate() if each.name == "together"])
    assert idle() <= MAX_IDLE


def test_what_is_done_is_not_kept() -> None:
    class Work:
        def __call__(self) -> None:
            pass

    work = Work()
    left = weakref.ref(work)
    thread = IoThread(work, "work")
    thread.start()
    thread.join(PATIENCE)
    del work, thread
    until(lambda: gc.collect() >= 0 and left() is None)


def test_a_child_process_has_threads_of_its_own() -> None:
    run()
    pid = os.fork()
    if not pid:
        done = threading.Event()
        IoThread(done.set, "in the child").start()
        os._exit(0 if done.wait(PATIENCE) else 1)
    assert os.waitpid(pid, 0)[1] == 0
