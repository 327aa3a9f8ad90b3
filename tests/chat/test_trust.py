"""Whom a client takes for the right server: new, the same, another one; and that another one is sent nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from chat.address import format_address
from chat.exchange import chat_config
from chat.known_hosts import KnownHosts
from chat.message import ALPN_PROTOCOL
from chat.problems import Problem
from chat.trust import Trust
from quicmini import Config, Connection, HandshakeError, Listener, Session, key_fingerprint, listen
from quicmini.sync import driver
from tests.certificates import Authority, CertificateFiles
from tests.sync.helpers import until

PATIENCE = 20.0  # seconds


def key_of(files: CertificateFiles) -> str:
    certificate = x509.load_pem_x509_certificate(Path(files.certfile).read_bytes())
    return key_fingerprint(certificate.public_bytes(Encoding.DER))


@pytest.fixture
def resuming(server_files: CertificateFiles) -> Iterator[Listener]:
    """A server that takes early data."""
    with listen(
        ("127.0.0.1", 0),
        alpn_protocols=[ALPN_PROTOCOL],
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        config=Config(early_data=True),
    ) as listener:
        yield listener


def join(trust: Trust, listener: Listener, session: Session | None = None) -> Connection:
    """A connection, with early data if there is a session."""
    return trust.connect(
        listener.address,
        alpn_protocols=[ALPN_PROTOCOL],
        config=chat_config(),
        session=session,
        early_data=session is not None,
        close_timeout=PATIENCE,
    )


def met(trust: Trust, resuming: Listener) -> Session:
    """What an earlier connection is resumed with."""
    with join(trust, resuming) as first:
        until(lambda: first.session)
        resuming.accept(PATIENCE).close(timeout=0)
        assert first.session
        return first.session


def test_new_then_the_same(listener: Listener, tmp_path: Path, server_files: CertificateFiles) -> None:
    told: list[str] = []
    trust, server = Trust(tmp_path, tell=told.append), format_address(listener.address)
    for _ in range(2):
        with join(trust, listener):
            listener.accept(PATIENCE).close(timeout=0)
        assert told == [
            f"{server} is new: its key {key_of(server_files)} is kept in {tmp_path}/known_hosts; "
            "the server's log shows the right one"
        ]


def test_names_are_not_what_it_is_known_by(listener: Listener, tmp_path: Path, authority: Authority) -> None:
    told: list[str] = []
    trust = Trust(tmp_path, tell=told.append)
    join(trust, listener).close()
    files = authority.issue("somewhere.else.example")
    listener.reload_certificate(files.certfile, files.keyfile)
    KnownHosts(tmp_path).path.write_text(f"{format_address(listener.address)} {key_of(files)}\n")
    join(trust, listener).close()
    assert len(told) == 1


def test_another_key_is_refused(
    listener: Listener, tmp_path: Path, server_files: CertificateFiles, rsa_files: CertificateFiles
) -> None:
    trust, server = Trust(tmp_path), format_address(listener.address)
    KnownHosts(tmp_path).remember("other.example:4242", key_of(rsa_files))
    join(trust, listener).close()
    listener.accept(PATIENCE)
    listener.reload_certificate(rsa_files.certfile, rsa_files.keyfile)
    with pytest.raises(Problem) as caught:
        join(trust, listener)
    assert str(caught.value) == (
        f"{server} is not who it was: the server's key is {key_of(rsa_files)}, and not {key_of(server_files)}, as when "
        "you first met; somebody may be between you and the server. If you know that its key was changed, remove "
        f"line 2 of {tmp_path}/known_hosts and join again"
    )
    with pytest.raises(TimeoutError):
        listener.accept(0)


def test_another_key_gets_no_early_data(
    resuming: Listener,
    tmp_path: Path,
    rsa_files: CertificateFiles,
    server_files: CertificateFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The session belongs to the key that is kept."""
    monkeypatch.setattr(driver, "HOLD_TIME", PATIENCE)  # the first flight waits for what is said, however long it takes
    trust = Trust(tmp_path)
    session = met(trust, resuming)
    with join(trust, resuming, session) as again:
        again.open_stream().sendall(b"early", end_stream=True)
        assert resuming.accept(PATIENCE).accept_stream(PATIENCE).early_data
    known_hosts = KnownHosts(tmp_path)
    known_hosts.path.write_text(known_hosts.path.read_text().replace(key_of(server_files), key_of(rsa_files)))
    with pytest.raises(Problem, match=r"is not who it was: .* remove line 1 of "):
        join(trust, resuming, session)


def test_what_comes_of_early_data_later_is_explained(
    resuming: Listener, tmp_path: Path, rsa_files: CertificateFiles
) -> None:
    """Somebody else at the server's address lets the early data go, and would be sent it again."""
    trust = Trust(tmp_path)
    session = met(trust, resuming)
    address = resuming.address
    resuming.close()
    with listen(
        address, alpn_protocols=[ALPN_PROTOCOL], certfile=rsa_files.certfile, keyfile=rsa_files.keyfile
    ) as stranger:
        client = join(trust, stranger, session)
        client.open_stream().sendall(b"secret", end_stream=True)
        with pytest.raises(HandshakeError) as caught:
            client.handshake(PATIENCE)
        assert re.search(r"is not who it was: .* remove line 1 of ", str(trust.explain(caught.value, address)))
        assert trust.explain(TimeoutError(), address) is None
        with pytest.raises(TimeoutError):
            stranger.accept(0)


def test_who_is_faster_decides(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rsa_files: CertificateFiles
) -> None:
    """Another process has met the server while this one shook hands with it, and saw another key."""
    monkeypatch.setattr(KnownHosts, "find", lambda self, server: None)
    KnownHosts(tmp_path).remember(format_address(listener.address), key_of(rsa_files))
    with pytest.raises(Problem, match=f"and not {re.escape(key_of(rsa_files))}, as when you first met"):
        join(Trust(tmp_path), listener)


def test_authorities_are_believed_without_a_memory(
    listener: Listener, tmp_path: Path, server_files: CertificateFiles, rsa_files: CertificateFiles
) -> None:
    KnownHosts(tmp_path).remember(format_address(listener.address), key_of(rsa_files))
    join(Trust(tmp_path, cafile=server_files.cafile), listener).close()
    assert len(KnownHosts(tmp_path).path.read_text().splitlines()) == 1
    wrong = Trust(tmp_path, cafile=Authority.create(tmp_path).issue().cafile)
    with pytest.raises(HandshakeError) as caught:
        join(wrong, listener)
    assert wrong.explain(caught.value, listener.address) is None


def test_insecure_asks_nobody(listener: Listener, tmp_path: Path, rsa_files: CertificateFiles) -> None:
    KnownHosts(tmp_path / "a").remember(format_address(listener.address), key_of(rsa_files))
    join(Trust(tmp_path / "a", insecure=True), listener).close()
    join(Trust(tmp_path / "b", insecure=True), listener).close()
    assert not (tmp_path / "b").exists()


def test_a_directory_that_cannot_be_used(listener: Listener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match=r"cannot read .*/known_hosts: Not a directory"):
        join(Trust(tmp_path / "file" / "state"), listener)
    (tmp_path / "known_hosts").mkdir()
    with pytest.raises(Problem, match=r"cannot read .*/known_hosts: Is a directory"):
        join(Trust(tmp_path), listener)


def test_a_directory_that_cannot_be_written(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KnownHosts, "find", lambda self, server: None)
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match=r"cannot keep the key of .*/known_hosts: Not a directory; .* --state-dir"):
        join(Trust(tmp_path / "file" / "state"), listener)


def test_a_line_that_cannot_be_read(listener: Listener, tmp_path: Path) -> None:
    KnownHosts(tmp_path).path.write_text("what\n")
    with pytest.raises(Problem, match=r"line 1 of .*/known_hosts is no 'HOST:PORT SHA256:…': correct or remove it"):
        join(Trust(tmp_path), listener)
