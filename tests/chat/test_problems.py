"""What goes wrong ends in one clear sentence on stderr and a status that is not 0: never in a traceback."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.problems import of_listening
from quicmini import Listener, listen
from tests.certificates import Authority, CertificateFiles
from tests.chat.processes import Client, Server, run


def problem(*arguments: str) -> str:
    """The one sentence on stderr of a command that fails."""
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("[")]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A UDP port that nobody else gets while the test runs, and on which nothing answers: it hears one peer only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.connect(("127.0.0.1", 9))
        yield deaf.getsockname()[1]


class TestJoin:
    def test_no_server(self, unused_port: int) -> None:
        assert problem("join", f"127.0.0.1:{unused_port}", "-n", "zoe") == (
            f"chat join: nobody listens on UDP 127.0.0.1:{unused_port}; is the server running? (python -m chat serve)"
        )

    def test_no_server_on_localhost(self, unused_port: int) -> None:
        assert "nobody listens on UDP localhost" in problem("join", f"localhost:{unused_port}", "-n", "zoe")

    def test_unknown_host(self) -> None:
        sentence = problem("join", "no-such-host.invalid", "-n", "zoe")
        assert sentence.startswith("chat join: cannot find no-such-host.invalid:4242: ")
        assert sentence.endswith("; check the name")

    def test_untrusted_certificate(self, tmp_path: Path, authority: Authority) -> None:
        with Server(tmp_path) as server:
            address = f"127.0.0.1:{server.port}"
            sentence = problem("join", address, "-n", "zoe", "--ca", authority.cafile)
            assert sentence.startswith(f"chat join: {address} is not trusted: certificate verify failed: ")
            assert "self-signed and not in the trust store" in sentence
            assert sentence.endswith("with --ca FILE, or trust whoever answers with --insecure")

    def test_certificate_for_another_name(self, tmp_path: Path, authority: Authority) -> None:
        files = authority.issue("chat.example.org")
        with Server(tmp_path, "--cert", files.certfile, "--key", files.keyfile) as server:
            sentence = problem("join", f"127.0.0.1:{server.port}", "-n", "zoe", "--ca", files.cafile)
            assert "the certificate is for 'chat.example.org', not for '127.0.0.1'; join under a name" in sentence
            assert "--ca" not in sentence

    def test_another_protocol(self, echo_server: Listener, server_files: CertificateFiles) -> None:
        address = f"127.0.0.1:{echo_server.address[1]}"
        assert problem("join", address, "-n", "zoe", "--ca", server_files.cafile) == (
            f"chat join: {address} is no chat server: it speaks neither 'quicmini-chat/1' nor 'simpleproto'"
        )

    def test_insecure_trusts_and_says_so(self, tmp_path: Path) -> None:
        with Server(tmp_path) as server, Client(server, "zoe", "--insecure") as zoe:
            zoe.say("hello")
            zoe.sees("[zoe]: hello")
            assert zoe.leave() == 0
            assert zoe.log.lines[0] == "[WARNING] --insecure: whoever answers is trusted"

    def test_a_disk_that_is_full(self, tmp_path: Path) -> None:
        with (
            Server(tmp_path) as server,
            Path("/dev/full").open("w") as full,
            Client(server, "zoe", stdout=full.fileno()) as zoe,
        ):
            zoe.say("hello")
            assert zoe.wait() == 1
            assert zoe.log.lines[-1] == "chat join: cannot write to stdout: No space left on device"
            assert not any("Traceback" in line for line in zoe.log.lines)

    def test_no_stdout_and_no_stdin(self, tmp_path: Path) -> None:
        with Server(tmp_path) as server:
            join = f"-m chat join 127.0.0.1:{server.port} -n zoe --ca {server.cafile}"
            for closed, lines in ((">&-", "hello\n"), ("<&-", "")):
                result = subprocess.run(
                    ["sh", "-c", f'exec "$0" {join} {closed}', sys.executable],
                    input=lines,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert result.returncode == 0
                assert result.stderr.startswith(f"[INFO] connected to 127.0.0.1:{server.port} as zoe (connection ")
                assert result.stderr.count("\n") == 1

    def test_ca_file_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("nothing")
        assert "holds no PEM certificate" in problem("join", "127.0.0.1", "-n", "zoe", "--ca", str(tmp_path / "ca.pem"))


@pytest.fixture
def echo_server(server_files: CertificateFiles) -> Iterator[Listener]:
    """A QUIC server that is no chat."""
    with listen(
        ("127.0.0.1", 0), alpn_protocols=["echo"], certfile=server_files.certfile, keyfile=server_files.keyfile
    ) as listener:
        yield listener


class TestServe:
    def test_port_in_use(self, tmp_path: Path) -> None:
        with Server(tmp_path) as server:
            port = str(server.port)
            sentence = problem("serve", "--port", port, "--state-dir", str(tmp_path))
            assert sentence == (
                f"chat serve: UDP 127.0.0.1:{port} is in use by another program; choose another one with --port"
            )

    def test_address_of_another_machine(self, tmp_path: Path) -> None:
        sentence = problem("serve", "--bind", "192.0.2.1", "--port", "0", "--state-dir", str(tmp_path))
        assert "cannot listen on 192.0.2.1:0: this machine has no such address" in sentence

    def test_unknown_name(self, tmp_path: Path) -> None:
        sentence = problem("serve", "--bind", "no-such-host.invalid", "--port", "0", "--state-dir", str(tmp_path))
        assert "cannot find no-such-host.invalid:0" in sentence

    def test_certificate_without_key(self, server_files: CertificateFiles) -> None:
        assert "--cert and --key go together" in problem("serve", "--cert", server_files.certfile)

    def test_key_of_another_certificate(self, server_files: CertificateFiles, rsa_files: CertificateFiles) -> None:
        sentence = problem("serve", "--port", "0", "--cert", server_files.certfile, "--key", rsa_files.keyfile)
        assert "the private key is not the one of the certificate" in sentence

    def test_file_that_is_no_certificate(self, server_files: CertificateFiles) -> None:
        sentence = problem("serve", "--port", "0", "--cert", server_files.keyfile, "--key", server_files.keyfile)
        assert "holds no PEM certificate" in sentence

    def test_state_directory_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        sentence = problem("serve", "--port", "0", "--state-dir", str(tmp_path / "file"))
        assert sentence.startswith(f"chat serve: cannot use '{tmp_path / 'file'}")

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
    def test_state_directory_that_does_not_work(self, number: int) -> None:
        """It has nothing to do with the port."""
        why = os.strerror(number)
        assert str(of_listening(OSError(number, why, "/s/key.pem"), "[::1]:1")) == f"cannot use '/s/key.pem': {why}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["join"], "the following arguments are required: -n/--nick"),
        (["join", "-n", ""], "'' is no nickname: 1 to 32 characters"),
        (["join", "-n", "\x1b[31m"], "none of them a control character"),
        (["join", "-n", "x" * 33], "1 to 32 characters"),
        (["join", "-n", "zoe", "host:http"], "'http' is no port: a number from 1 to 65535"),
        (["join", "-n", "zoe", "--ca", "/no/such/file"], "cannot read '/no/such/file': No such file or directory"),
        (["join", "-n", "zoe", "--ca", "/etc/hosts", "--insecure"], "not allowed with argument --ca"),
        (["join", "-n", "zoe", "--cert", "/no/such/file"], "cannot read '/no/such/file': No such file or directory"),
        (["serve", "--port", "65536"], "'65536' is no port: a number from 0 to 65535"),
        (["serve", "--idle-timeout", "-1"], "'-1' is no time: seconds"),
        (["serve", "--cert", "/no/such/file"], "cannot read '/no/such/file'"),
        (["shout"], "invalid choice: 'shout'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_arguments(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["serve", "join", "demo"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.returncode == 0
    assert f"example: python -m chat {command}" in result.stdout


KINDS = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}
SHAPES = {
    "CA:TRUE, as openssl does it": [],
    "CA:FALSE": ["-addext", "basicConstraints=critical,CA:FALSE"],
    "with names": ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_certificate_of_openssl(tmp_path: Path, kind: str, shape: str) -> None:
    """`openssl req -x509`, the same file as --cert and as --ca."""
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        cert,
    ]
    subprocess.run([*command, "-newkey", *KINDS[kind], *SHAPES[shape]], capture_output=True, check=True)
    with (
        Server(tmp_path / "unused", "--cert", cert, "--key", key) as server,
        Client(server, "zoe", "--ca", cert, address=("localhost", server.port)) as zoe,
    ):
        zoe.say("hello")
        zoe.sees("[zoe]: hello")
        assert zoe.leave() == 0
