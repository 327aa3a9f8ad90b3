"""The command that lists what a peer can make a connection hold."""

from __future__ import annotations

import pytest

from quicmini.__main__ import main
from quicmini.config import Config
from quicmini.connection.bounds import bytes_for_each_connection, held


def test_the_list_ends_with_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bounds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(held(Config())) + 1
    numbers = [int(line.split()[0].replace(",", "")) for line in lines]
    assert numbers[-1] == sum(numbers[:-1]) == bytes_for_each_connection(Config())


def test_settings_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bounds", "--max-streams", "4", "--max-data", "5000", "--send-buffer-total", "6000"]) == 0
    config = Config(max_streams_bidi=4, max_streams_uni=4, max_data=5000, send_buffer_total=6000)
    assert f"{bytes_for_each_connection(config):,}  in all" in capsys.readouterr().out


def test_settings_that_cannot_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bounds", "--max-streams", "-1"]) == 2
    assert "max_streams_bidi" in capsys.readouterr().out
