"""Threads that do one piece of work after another.

To start a thread takes as long as a signature, and `threading.Thread.start` waits until the system has found time to
run it. A program that connects again and again should not pay that each time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["MAX_IDLE", "IoThread"]

# Threads that wait for work; more of them end when theirs is done.
MAX_IDLE = 4

_idle: list[_Worker] = []
_mutex = threading.Lock()


class IoThread:
    """Work for a daemon thread, with as much of `threading.Thread` as is needed. name: the thread's while it works."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self.work = work
        self.name = name
        self.over = threading.Event()
        self._started = False

    def start(self) -> None:
        """Begin. Waits for nothing if there is an idle thread; RuntimeError if there is none and none can be made."""
        with _mutex:
            worker = _idle.pop() if _idle else None
        if worker is not None:
            worker.give(self)
        else:
            _Worker(self).start()
        self._started = True

    def is_alive(self) -> bool:
        """Whether it has begun, and is not over."""
        return self._started and not self.over.is_set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it is over, or for `timeout` seconds."""
        self.over.wait(timeout)


class _Worker(threading.Thread):
    """Works, waits among the idle ones, works again."""

    def __init__(self, task: IoThread) -> None:
        super().__init__(daemon=True)
        self._task: IoThread | None = task
        self._wanted = threading.Semaphore(0)

    def give(self, task: IoThread) -> None:
        self._task = task
        self._wanted.release()

    def run(self) -> None:
        while self._work():
            self._wanted.acquire()

    def _work(self) -> bool:
        """Do what there is to do; whether to wait for more. Nothing of it is remembered."""
        task, self._task = self._task, None
        if task is not None:
            self.name = task.name
            try:
                task.work()
            finally:
                self.name = "quicmini idle"
                task.over.set()
        with _mutex:
            if len(_idle) < MAX_IDLE:
                _idle.append(self)
                return True
        return False


# A child process has a copy of the list, and none of the threads.
os.register_at_fork(after_in_child=_idle.clear)
