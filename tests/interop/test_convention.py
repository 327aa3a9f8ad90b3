"""What endpoints read from their environment, and the requests of hq-interop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.convention import Environment, Request, file_asked_for, request_line


def test_a_client_s_environment() -> None:
    environment = Environment.parse(
        {"ROLE": "client", "TESTCASE": "transfer", "REQUESTS": "https://server4:443/one https://[::1]:4433/a/two"}
    )
    assert environment.is_client
    assert environment.requests == (Request("server4", 443, "/one"), Request("::1", 4433, "/a/two"))
    assert [request.file_name for request in environment.requests] == ["one", "two"]
    assert environment.downloads == Path("/downloads")
    assert environment.listen == ("::", 443)
    assert environment.preferred_address is None


def test_a_server_s_environment(tmp_path: Path) -> None:
    variables = {"ROLE": "server", "CERTS": str(tmp_path), "LISTEN": "127.0.0.1 0", "PREFERRED_ADDRESS": "127.0.0.1 9"}
    environment = Environment.parse(variables)
    assert not environment.is_client
    assert environment.listen == ("127.0.0.1", 0)
    assert environment.preferred_address == ("127.0.0.1", 9)
    assert environment.certificate_file == str(tmp_path / "cert.pem")
    assert environment.authority_file is None
    (tmp_path / "ca.pem").touch()
    assert environment.authority_file == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("variables", [{}, {"ROLE": "referee"}, {"ROLE": "client", "REQUESTS": "http://x/y"}])
def test_what_makes_no_sense(variables: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"ROLE|URL"):
        Environment.parse(variables)


def test_a_request_finds_its_file(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    line = request_line(Request("server", 443, "/one"))
    assert line == b"GET /one\r\n"
    assert file_asked_for(line, tmp_path) == tmp_path / "one"


@pytest.mark.parametrize("line", [b"", b"GET", b"GET /none\r\n", b"PUT /one\r\n", b"GET /../secret\r\n", b"\xff\xff x"])
def test_nothing_else_does(tmp_path: Path, line: bytes) -> None:
    www = tmp_path / "www"
    www.mkdir()
    (www / "one").touch()
    (tmp_path / "secret").touch()
    assert file_asked_for(line, www) is None
