"""Which of the peer's streams have something to read, for `Connection.next_readable`."""

from __future__ import annotations

from quicmini.sync.driver import Driver
from quicmini.sync.stream import Stream

__all__ = ["ReadableStreams"]


class ReadableStreams:
    """Collects the peer's streams as they become readable; used with the connection's lock held.

    From its creation on it takes the place of `Driver.incoming`. A stream is forgotten when it is finished.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._streams: dict[int, Stream] = {}
        # In the order in which they became readable. Of those that came before nothing else is known: ask for all.
        self._ready: dict[int, None] = dict.fromkeys(driver.incoming)
        driver.incoming.clear()
        driver.stream_observer = self

    def take(self) -> Stream | None:
        """The next stream that has something to say."""
        while self._ready:
            stream_id = next(iter(self._ready))
            del self._ready[stream_id]
            stream = self._streams.get(stream_id)
            if stream is None:
                stream = self._streams[stream_id] = Stream(self._driver, stream_id)
            if stream.readable:
                return stream
        return None

    # Called by the driver

    def readable(self, stream_id: int) -> None:
        peer_bit = 1 if self._driver.core.is_client else 0  # RFC 9000 §2.1
        if stream_id & 1 == peer_bit:
            self._ready[stream_id] = None
            self._driver.wake_one()

    def read(self, stream_id: int) -> None:
        """The application has read, but perhaps not everything: the core tells only of what comes after that."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.readable:
            self.readable(stream_id)

    def finished(self, stream_id: int) -> None:
        self._streams.pop(stream_id, None)
        self._ready.pop(stream_id, None)
