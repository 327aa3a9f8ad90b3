"""The server dies in the middle of a conversation, again and again, and starts again."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.chat.processes import Process, Server
from tests.chat.server.talker import Talker

COUNT = 400  # messages of each
DEATHS = 3


def test_everything_that_was_confirmed_is_there_once_for_everyone(tmp_path: Path) -> None:
    talkers = [Talker(name, COUNT) for name in ("ada", "bob", "eve")]
    everything = [text for talker in talkers for text in talker.texts.values()]
    confirmed: list[dict[str, int]] = []
    first_server = Server(tmp_path)
    address = "localhost", first_server.port
    server: Process = first_server
    over = threading.Event()

    def live(talker: Talker) -> None:
        while not over.is_set():
            with suppress(OSError):
                talker.converse(address, str(tmp_path / "cert.pem"))

    threads = [threading.Thread(target=live, args=(talker,)) for talker in talkers]
    for thread in threads:
        thread.start()
    first = talkers[0]
    for death in range(1, DEATHS + 1):
        first.wait(settled=COUNT * death // (DEATHS + 1))
        server.signal(signal.SIGKILL)
        server.__exit__(None, None, None)
        confirmed.append({talker.name: talker.settled for talker in talkers})
        server = Process("serve", "--port", str(address[1]), "--state-dir", str(tmp_path))
    for talker in talkers:
        talker.wait(heard=len(everything))
    over.set()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    for thread in threads:
        thread.join()
    for talker in talkers:
        in_order = [talker.heard[number] for number in sorted(talker.heard)]
        assert Counter(message.text for message in in_order) == Counter(everything)
        assert talker.twice == []
        for other in talkers:
            assert [m.text for m in in_order if m.nickname == other.name] == list(other.texts.values())
    assert len({frozenset(talker.heard) for talker in talkers}) == 1
    assert all(0 < counts["ada"] < COUNT for counts in confirmed)
    server.__exit__(None, None, None)
