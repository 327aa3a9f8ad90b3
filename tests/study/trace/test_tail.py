"""Files that grow."""

from __future__ import annotations

import json
from pathlib import Path

from quicmini.config import Config
from quicmini.observe.qlog import Qlog, flush
from quicmini.study.trace.logs import Event
from quicmini.study.trace.tail import Tail, Told
from tests.certificates import CertificateFiles
from tests.connection.pair import Pair

HEAD = {"trace": {"vantage_point": {"type": "client"}, "common_fields": {"group_id": "aa"}}}


def record(value: object) -> str:
    return f"\x1e{json.dumps(value)}\n"


def event(time: float) -> dict[str, object]:
    return {"time": time, "name": "transport:packet_sent", "data": {}}


def append(path: Path, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def told(time: float, role: str = "client") -> Told:
    return Told("aa", role, Event(time, "packet_sent", {}))


def test_each_event_comes_once_and_whole(tmp_path: Path) -> None:
    tail, path = Tail(tmp_path), tmp_path / "aa_client.sqlog"
    assert tail.look() == []
    text = record(HEAD) + record(event(1)) + record(event(2))
    append(path, text[:-9])
    assert tail.look() == [told(1)]
    assert tail.look() == []
    append(path, text[-9:] + record(event(3)))
    assert tail.look() == [told(2), told(3)]


def test_several_files_by_their_times(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    append(tmp_path / "aa_client.sqlog", record(HEAD) + record(event(1)) + record(event(4)))
    server = {"trace": HEAD["trace"] | {"vantage_point": {"type": "server"}}}
    append(tmp_path / "aa_server.sqlog", record(server) + record(event(2)) + record(event(3)))
    assert tail.look() == [told(1), told(2, "server"), told(3, "server"), told(4)]


def test_what_was_there_before_is_passed_over(tmp_path: Path) -> None:
    append(tmp_path / "old.sqlog", record(HEAD) + record(event(1)))
    tail = Tail(tmp_path)
    append(tmp_path / "old.sqlog", record(event(2)))
    append(tmp_path / "notes.txt", "hello\n")
    assert tail.look() == []


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    append(tmp_path / "x.sqlog", "hello\n[]\n{}\n" + record({"trace": {}}) + record(HEAD) + "{\n5\n" + record(event(1)))
    assert tail.look() == [told(1)]


def test_the_files_that_are_written_here(server_files: CertificateFiles, tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    config = Config(observer=Qlog(tmp_path))
    pair = Pair(server_files, client_config=config, server_config=config)
    pair.handshake()
    pair.client.close(now=pair.now)
    pair.run()
    flush()
    found = tail.look()
    assert {each.role for each in found} == {"client", "server"}
    assert len({each.connection for each in found}) == 1
    assert found == sorted(found, key=lambda each: each.event.time)
