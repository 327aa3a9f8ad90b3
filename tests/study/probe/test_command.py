"""The command against servers of several kinds."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from quicmini import Config, Listener, listen
from quicmini.__main__ import main
from quicmini.study.probe import command
from quicmini.study.terminal import WIDTH
from quicmini.sync import inquiry
from quicmini.wire.packet import VERSION_2
from tests.certificates import Authority, CertificateFiles
from tests.interop.processes import aioquic_server
from tests.transfer import ALPN

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def serve(server_files: CertificateFiles) -> Iterator[Callable[..., str]]:
    """serve(**config) starts a server of HTTP/3, as far as the handshake goes; its HOST:PORT."""
    with ExitStack() as stack:

        def make(client_cafile: str | None = None, **settings: Any) -> str:
            listener: Listener = listen(
                ("127.0.0.1", 0),
                alpn_protocols=["h3"],
                certfile=server_files.certfile,
                keyfile=server_files.keyfile,
                client_cafile=client_cafile,
                config=Config(**settings),
            )
            stack.enter_context(listener)
            host, port = listener.address
            return f"{host}:{port}"

        yield make


def values(text: str) -> dict[str, str]:
    """What was found, by name; what goes on in further lines is joined."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("   "):
            found[name] += " " + line.strip()
        elif line.startswith("  "):
            name, _, value = line.strip().partition("  ")
            found[name] = value.strip()
    return found


def probe(capsys: Capture, *argv: str, status: int = 0) -> dict[str, str]:
    assert main(["probe", *argv]) == status
    output = capsys.readouterr()
    assert output.err == ""
    assert all(len(line) <= WIDTH for line in output.out.splitlines())
    return values(output.out)


def test_a_good_server(serve: Callable[..., str], authority: Authority, capsys: Capture) -> None:
    found = probe(capsys, serve(early_data=True), "--cafile", authority.cafile)
    expected = {
        "offered": "QUIC v1 (0x00000001), QUIC v2 (0x6b3343cf)  in Version Negotiation (RFC 9000 §6.1)",
        "in use": "QUIC v1 (0x00000001)",
        "Retry": "no  RFC 9000 §8.1.2",
        "cipher suite": "TLS_AES_128_GCM_SHA256 (0x1301)",
        "ALPN": "h3  of h3, hq-interop, doq, quicmini-chat/1, simpleproto",
        "client certificate": "not asked for",
        "signed the handshake": "ecdsa_secp256r1_sha256 (0x0403)  RFC 9846 §4.5.2",
        "max_idle_timeout": "30,000 ms  RFC 9000 §18.2",
        "session tickets": "1, good for 86400 seconds  RFC 9846 §4.7.1",
        "0-RTT": "offered  RFC 9001 §4.6.1",
        "ECN": "works: the server reports the marks on what it receives RFC 9000 §13.4.2",
    }
    assert {name: found[name] for name in expected} == expected
    assert found["certificate 0"].startswith("CN=localhost, issued by CN=Test authority valid 2")
    assert found["verdict"].startswith("good valid now, for 127.0.0.1")
    assert found["largest datagram"].startswith("16,376 bytes")
    assert found["token for the address"].endswith("bytes  NEW_TOKEN (RFC 9000 §8.1.3)")
    assert found["RTT"].split()[1] == "ms"


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"retry": True}, "Retry", "yes"),
        ({"versions": (VERSION_2,)}, "in use", "QUIC v2"),
        ({"versions": (VERSION_2,)}, "refused the first try", "offers QUIC v2"),
        ({"versions": (VERSION_2, 1)}, "in use", "QUIC v2"),
        ({"groups": (0x18,)}, "group", "secp384r1 (0x0018), after a HelloRetryRequest"),
        ({"cipher_suites": (0x1303,)}, "cipher suite", "TLS_CHACHA20_POLY1305_SHA256"),
        ({"session_tickets": 0}, "session tickets", "none came"),
        ({"session_tickets": 2}, "session tickets", "2, good for"),
        ({}, "0-RTT", "not offered"),
    ],
)
def test_what_servers_differ_in(
    serve: Callable[..., str], capsys: Capture, settings: dict[str, Any], name: str, value: str
) -> None:
    found = probe(capsys, serve(**settings), "--insecure")
    assert found[name].startswith(value)


def test_a_bad_certificate_ends_nothing(serve: Callable[..., str], authority: Authority, capsys: Capture) -> None:
    address = serve()
    found = probe(capsys, address, "--cafile", authority.cafile, "--name", "example.org", status=1)
    assert found["verdict"].startswith("BAD certificate verify failed: the certificate is for 'localhost'")
    assert "session tickets" in found
    found = probe(capsys, address, status=1)
    assert "the issuer 'CN=Test authority' is not in the trust store" in found["verdict"]


def test_a_server_that_asks_who_the_client_is(serve: Callable[..., str], authority: Authority, capsys: Capture) -> None:
    found = probe(capsys, serve(client_cafile=authority.cafile), "--cafile", authority.cafile)
    assert found["client certificate"] == "asked for"


def test_aioquic(server_files: CertificateFiles, capsys: Capture) -> None:
    with aioquic_server(server_files) as server:
        host, port = server.address
        found = probe(capsys, f"{host}:{port}", "--alpn", ALPN, "--cafile", server_files.cafile, "--name", "localhost")
    assert found["ALPN"] == f"{ALPN}  of {ALPN}"
    assert found["in use"].startswith("QUIC v1")
    assert found["offered"].startswith("QUIC v1")
    assert found["verdict"].startswith("good")
    assert "initial_max_data" in found


def failure(capsys: Capture, *argv: str) -> str:
    """The one sentence of a probe that failed."""
    assert main(["probe", *argv]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_no_common_protocol(serve: Callable[..., str], capsys: Capture) -> None:
    sentence = failure(capsys, serve(), "--alpn", "one", "--alpn", "two")
    assert "none of the application protocols that were offered (one, two): name one" in sentence


def test_the_versions_are_told_even_if_the_handshake_fails(serve: Callable[..., str], capsys: Capture) -> None:
    assert main(["probe", serve(), "--alpn", "other"]) == 1
    assert values(capsys.readouterr().out)["offered"].startswith("QUIC v1")


@pytest.fixture
def silent() -> Iterator[str]:
    """Where datagrams arrive, and nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def test_no_answer(silent: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "ROUNDS", (0.01,))
    assert failure(capsys, silent, "--timeout", "0.01").startswith(f"no answer from UDP {silent}: check")


def test_nobody_there(silent: str, capsys: Capture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert f"nobody listens on UDP 127.0.0.1:{port} (ICMP" in failure(capsys, f"127.0.0.1:{port}")


def test_a_server_that_does_not_tell_its_versions(
    serve: Callable[..., str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ask_versions", _no_answer)
    found = probe(capsys, serve(), "--insecure")
    assert found["offered"].startswith("no answer to the question")
    assert found["in use"].startswith("QUIC v1")
    assert "largest datagram" not in found


def _no_answer(address: tuple[str, int]) -> None:
    raise TimeoutError


def test_a_server_that_tells_its_versions_and_nothing_else(
    serve: Callable[..., str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*args: object, **settings: object) -> None:
        raise TimeoutError("timed out waiting for the handshake")

    monkeypatch.setattr(command, "connect", connect)
    assert "tells its versions, but does not answer the handshake" in failure(capsys, serve())


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["localhost"], "'localhost' is no HOST:PORT"),
        (["localhost:0"], "no HOST:PORT"),
        (["localhost:65536"], "no HOST:PORT"),
        (["::1:443"], "no HOST:PORT"),
        (["a/b:443"], "no HOST:PORT"),
        (["[::1]:443", "--name", "not a name"], "'not a name' is neither a host name nor an IP address"),
        (["localhost:443", "--timeout", "0"], "--timeout must be above 0 seconds (got 0)"),
        (["localhost:443", "--cafile", "/no/such/file"], "cannot read the trusted certificates"),
        (["localhost:443", "--alpn", ""], "a protocol for --alpn has 1 to 255 bytes"),
    ],
)
def test_arguments_that_cannot_work(argv: list[str], sentence: str, capsys: Capture) -> None:
    assert main(["probe", *argv]) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert sentence in output.err


def test_an_unknown_host(capsys: Capture) -> None:
    assert failure(capsys, "no-such-host.invalid:443").startswith("cannot reach no-such-host.invalid:443")


def test_ctrl_c_is_quiet(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(address: tuple[str, int]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "ask_versions", interrupted)
    assert main(["probe", "localhost:443"]) == 130
    assert capsys.readouterr().err == ""
