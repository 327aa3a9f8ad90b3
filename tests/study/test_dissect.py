"""The command: what it prints for what it is given, and what it says of what it cannot read."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import vectors
from quicmini.__main__ import main
from quicmini.study.captures import read_capture
from quicmini.study.terminal import WIDTH

CLIENT_INITIAL = vectors.load("rfc9001-a2-client-initial").values.text("packet")
RETRY = vectors.load("rfc9001-a4-retry").values.text("packet")


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["dissect", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def sentence_of(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """The one that refuses these arguments."""
    assert main(["dissect", *arguments]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_the_client_initial_of_rfc_9001_opens_whole(capsys: pytest.CaptureFixture[str]) -> None:
    output = output_of(capsys, CLIENT_INITIAL)
    assert "Initial 2: bytes 0 to 1199, QUIC v1, connection 0, from the client, RFC 9000 §17.2.2" in output
    assert "client Initial keys of QUIC v1 from 8394c8f03e515708" in output
    assert "CRYPTO" in output
    assert "ClientHello" in output
    assert "example.com" in output
    assert "unreadable" not in output
    assert output.endswith("1 datagram; 1 packet opened.\n")


def test_lines_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert max(map(len, output_of(capsys, CLIENT_INITIAL, RETRY).splitlines())) <= WIDTH


def test_one_object_a_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = map(json.loads, output_of(capsys, "--json", CLIENT_INITIAL, RETRY).splitlines())
    (packet,) = first["packets"]
    assert (packet["name"], packet["packet_number"], packet["sender"]) == ("Initial", 2, "client")
    assert [frame["name"] for frame in packet["frames"]] == ["CRYPTO", "PADDING"]
    assert b"".join(bytes.fromhex(field["raw"]) for field in packet["header"][:1]) == b"\xc3"
    assert second["packets"][0]["name"] == "Retry"
    assert second["packets"][0]["remark"] == "the integrity tag is right for the Initial to 8394c8f03e515708"


def test_standard_input_in_hexadecimal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    typed = "\n".join(CLIENT_INITIAL[at : at + 64] for at in range(0, len(CLIENT_INITIAL), 64)).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(typed)))
    assert "1 datagram; 1 packet opened." in output_of(capsys, "-")


def test_a_capture_with_its_keys_inside(capsys: pytest.CaptureFixture[str]) -> None:
    output = output_of(capsys, str(Path(__file__).parent / "dissection" / "data" / "chat.pcapng"))
    assert "Datagram 1, 0.000000 s, 127.0.0.1:" in output
    assert "hello" in output
    assert output.endswith("38 datagrams; 46 packets opened.\n")


def test_secrets_from_a_file_open_what_the_capture_alone_does_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    content = (Path(__file__).parent / "dissection" / "data" / "quicmini-aioquic-v2.pcapng").read_bytes()
    log = tmp_path / "keys.log"
    log.write_text(read_capture(content).secrets)
    datagrams = [each.payload.hex() for each in read_capture(content).datagrams]
    assert "5 packets opened, 8 could not be" in output_of(capsys, *datagrams)
    assert "13 packets opened.\n" in output_of(capsys, *datagrams, "--keylog", str(log))


def test_secrets_inside_a_capture_that_are_damaged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = (Path(__file__).parent / "dissection" / "data" / "quicmini-aioquic-v2.pcapng").read_bytes()
    file = tmp_path / "file.pcapng"
    file.write_bytes(content.replace(b"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", b"CLIENT HANDSHAKE TRAFFIC SECRET "))
    assert main(["dissect", str(file)]) == 0
    printed = capsys.readouterr()
    assert "5 packets opened, 8 could not be" in printed.out
    assert printed.err.startswith("The key log inside the capture is no key log: not a line of a key log")


def test_nothing_encrypted(capsys: pytest.CaptureFixture[str]) -> None:
    assert output_of(capsys, "0x80000000000008f067a5502a4262b500000001").endswith(
        "1 datagram; nothing in it was encrypted.\n"
    )


def test_where_the_terminal_has_few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["dissect", RETRY]) == 0
    assert b"RFC 9000 ?17.2.5" in output.buffer.getvalue()


def test_without_keys_it_says_how_to_get_some(capsys: pytest.CaptureFixture[str]) -> None:
    output = output_of(capsys, "--dcid-length", "8", "40" + "00" * 40)
    assert "0 packets opened, 1 could not be" in output
    assert "SSLKEYLOGFILE" in output


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ("xyz", 2, "'xyz' is neither a file that exists nor hexadecimal: 'x' in line 1 is no hexadecimal digit"),
        ("abc", 2, "datagram 1 has an odd number of digits, 3"),
        ("", 2, "there are no digits in it"),
        ("/", 1, "Is a directory"),
    ],
)
def test_what_is_no_input(capsys: pytest.CaptureFixture[str], given: str, status: int, words: str) -> None:
    sentence = sentence_of(capsys, status, given)
    assert words in sentence
    assert len(sentence.splitlines()) == 1


def test_files_that_are_no_captures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xff\xfe1234")
    assert "neither a capture (pcap, pcapng) nor hexadecimal text: it begins with fffe3132" in sentence_of(
        capsys, 1, str(file)
    )
    file.write_bytes(bytes.fromhex("d4c3b2a1"))
    assert "cannot be read as a capture" in sentence_of(capsys, 1, str(file))


def test_key_logs_that_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "keys.log"
    assert "cannot be read: No such file" in sentence_of(capsys, 1, RETRY, "--keylog", str(file))
    file.write_text("this is not one\n")
    assert "is no key log: not a line" in sentence_of(capsys, 1, RETRY, "--keylog", str(file))
    file.write_bytes(b"\xff")
    assert "it is not text" in sentence_of(capsys, 1, RETRY, "--keylog", str(file))


@pytest.mark.parametrize("length", ["21", "-1", "x", "²"])
def test_connection_ids_have_at_most_20_bytes(capsys: pytest.CaptureFixture[str], length: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["dissect", RETRY, f"--dcid-length={length}"])
    assert exit_.value.code == 2
    assert "a connection ID has 0 to 20 bytes" in capsys.readouterr().err
