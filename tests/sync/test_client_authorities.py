"""Other authorities of clients' certificates while a listener runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quicmini import Connection, HandshakeError, Listener, Session, connect, listen
from tests.certificates import Authority, CertificateFiles
from tests.sync.helpers import ALPN, PATIENCE
from tests.sync.test_sessions import echoes, session_of


@pytest.fixture
def first_authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "first", "The first")


@pytest.fixture
def second_authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "second", "The second")


@pytest.fixture
def strict(server_files: CertificateFiles, first_authority: Authority) -> Iterator[Listener]:
    with listen(
        ("127.0.0.1", 0),
        alpn_protocols=[ALPN],
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        client_cafile=first_authority.cafile,
    ) as listener:
        yield listener


def open_connection(
    listener: Listener,
    server: CertificateFiles,
    own: CertificateFiles | None = None,
    session: Session | None = None,
) -> Connection:
    files: dict[str, Any] = {"certfile": own.certfile, "keyfile": own.keyfile} if own else {}
    return connect(listener.address, alpn_protocols=[ALPN], cafile=server.cafile, session=session, **files)


def is_refused(connection: Connection) -> int | None:
    """The alert with which the server ends the connection."""
    with connection, pytest.raises(HandshakeError) as caught:
        connection.accept_stream(PATIENCE)
    assert caught.value.remote
    return caught.value.alert


def test_only_the_new_ones_are_believed(
    strict: Listener, server_files: CertificateFiles, first_authority: Authority, second_authority: Authority
) -> None:
    """Who is connected stays; who comes back with a ticket is looked at again."""
    alice, bob = first_authority.issue("Alice", client=True), second_authority.issue("Bob", client=True)
    with open_connection(strict, server_files, alice) as client:
        server = strict.accept(PATIENCE)
        session = session_of(client)
        strict.reload_certificate(server_files.certfile, server_files.keyfile, second_authority.cafile)
        assert echoes(client, server)
    assert is_refused(open_connection(strict, server_files, alice)) == 48  # unknown_ca
    returned = open_connection(strict, server_files, alice, session)
    assert not returned.session_resumed
    assert is_refused(returned) == 48
    with open_connection(strict, server_files, bob) as client:
        assert echoes(client, strict.accept(PATIENCE))


def test_nobody_was_asked_before(
    listener: Listener, server_files: CertificateFiles, first_authority: Authority
) -> None:
    """A session from that time is no way around the certificate."""
    with open_connection(listener, server_files) as client:
        session = session_of(client)
    listener.accept(PATIENCE)
    listener.reload_certificate(server_files.certfile, server_files.keyfile, first_authority.cafile)
    returned = open_connection(listener, server_files, session=session)
    assert not returned.session_resumed
    assert is_refused(returned) == 116  # certificate_required


def test_they_stay_when_only_the_certificate_is_renewed(
    strict: Listener, server_files: CertificateFiles, first_authority: Authority
) -> None:
    strict.reload_certificate(server_files.certfile, server_files.keyfile)
    assert is_refused(open_connection(strict, server_files)) == 116
    with open_connection(strict, server_files, first_authority.issue("Alice", client=True)) as client:
        assert echoes(client, strict.accept(PATIENCE))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_all_or_nothing(
    strict: Listener,
    server_files: CertificateFiles,
    rsa_files: CertificateFiles,
    first_authority: Authority,
    tmp_path: Path,
    content: str | None,
) -> None:
    """A broken file of authorities leaves the old certificate, too."""
    broken = tmp_path / "authorities.pem"
    if content is not None:
        broken.write_text(content)
    with pytest.raises((OSError, ValueError), match=r"authorities\.pem"):
        strict.reload_certificate(rsa_files.certfile, rsa_files.keyfile, str(broken))
    with open_connection(strict, server_files, first_authority.issue("Alice", client=True)) as client:
        assert echoes(client, strict.accept(PATIENCE))
        shown = client.getpeercert()
    with connect(strict.address, alpn_protocols=[ALPN], cafile=rsa_files.cafile) as another:
        assert another.getpeercert() == shown
