"""`python -m quicmini trace` with files."""

from __future__ import annotations

from pathlib import Path

import pytest

from quicmini.__main__ import main
from quicmini.config import Config
from quicmini.observe.qlog import Qlog, flush
from quicmini.study.terminal import WIDTH
from tests.certificates import CertificateFiles
from tests.connection.pair import Pair
from tests.connection.test_watched import scenario

DATA = Path(__file__).parent / "data"


def drawn(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["trace", *map(str, arguments)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= WIDTH
    return text


@pytest.fixture
def recorded(server_files: CertificateFiles, tmp_path: Path) -> Path:
    """The logs of both sides of a connection with losses, a key update and a close."""
    config = Config(observer=Qlog(tmp_path / "logs"))
    scenario(Pair(server_files, client_config=config, server_config=config))
    flush()
    return tmp_path / "logs"


def test_both_sides_of_a_connection_of_ours(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = drawn(capsys, *recorded.iterdir())
    assert "by the client's and the server's logs" in text
    for sign in ("Initial 0 CRYPTO[0:", "▶", "◀", "✗", "↻ STREAM 0[", "has new 1-RTT keys", "handshake confirmed"):
        assert sign in text
    assert drawn(capsys, recorded) == text


@pytest.mark.parametrize("side", ["client", "server"])
def test_one_side_of_it(recorded: Path, side: str, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = recorded.glob(f"*_{side}.sqlog")
    text = drawn(capsys, path)
    assert f"by the {side}'s log\n" in text
    for sign in ("Initial 0 CRYPTO[0:", "▶", "◀", "✗", "has new 1-RTT keys"):
        assert sign in text


def test_everything_of_it(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    little, much = drawn(capsys, recorded), drawn(capsys, recorded, "--all")
    assert len(much) > len(little)
    assert "parameters" in much
    assert "⋮" not in much


def test_the_logs_of_another_implementation(capsys: pytest.CaptureFixture[str]) -> None:
    """The eighth datagram to the server was lost on the way, and with it bytes 4670 to 5836."""
    text = drawn(capsys, DATA / "aioquic_client.qlog", DATA / "aioquic_server.qlog")
    assert "by the client's and the server's logs" in text
    assert "1RTT 8 STREAM 0[4670:5837] ────────────✗" in text
    assert "↻ STREAM 0[4670:5837] again, first in 1RTT 8 (lost)" in text
    assert "from the client: 14 packets, 11,208 bytes, 1 lost, 1,167 bytes of data sent again" in text
    assert "from the server: 10 packets, 1,372 bytes, none lost, nothing sent again" in text


def test_one_side_of_another_implementation(capsys: pytest.CaptureFixture[str]) -> None:
    text = drawn(capsys, DATA / "aioquic_client.qlog")
    assert "from the client: 14 packets, 11,208 bytes, 1 lost, 1,167 bytes of data sent again" in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "is no qlog file that can be drawn: it is no JSON"),
        (b"\xff\xfe", "is no qlog file: it is not text"),
        (b'{"traces": []}', "there is no event in it"),
    ],
)
def test_a_file_that_is_no_qlog(
    content: bytes, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["trace", str(path)]) == 2
    output = capsys.readouterr()
    assert sentence in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_files_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argument, sentence in (
        (tmp_path / "no", "cannot be read: No such file"),
        (tmp_path, "no .sqlog or .qlog file"),
    ):
        assert main(["trace", str(argument)]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["trace"]) == 2
    assert "Say what to draw" in capsys.readouterr().err
