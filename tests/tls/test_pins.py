"""A server that is known by its key: certificates come and go, and nothing else that they say is looked at."""

from __future__ import annotations

import subprocess

import pytest

from quicmini.errors import HandshakeError
from quicmini.tls.certificates import Credential
from quicmini.tls.codes import Alert, ExtensionType
from quicmini.tls.messages import ClientHello
from quicmini.tls.pins import FINGERPRINT, key_fingerprint, pinned_server_key
from tests.certificates import CertificateFiles
from tests.tls.certs import DAY, TODAY, make
from tests.tls.peers import (
    alert_of,
    client_context,
    credential,
    error_of,
    first_session,
    make_client,
    make_server,
    server_context,
    shake_hands,
    started,
    ticket_context,
)

SERVER_KEY = key_fingerprint(credential("ecdsa").chain[0])
OTHER_KEY = key_fingerprint(credential("ed25519").chain[0])


def test_the_fingerprint_is_what_openssl_makes_of_the_key(server_files: CertificateFiles) -> None:
    commands = (
        f"openssl x509 -in {server_files.certfile} -noout -pubkey | openssl pkey -pubin -outform DER"
        " | openssl dgst -sha256 -binary | openssl base64"
    )
    printed = subprocess.run(commands, shell=True, capture_output=True, text=True, check=True).stdout.strip()
    der = subprocess.run(
        ["openssl", "x509", "-in", server_files.certfile, "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert key_fingerprint(der) == f"SHA256:{printed.removesuffix('=')}"
    assert FINGERPRINT.fullmatch(key_fingerprint(der))


def test_certificates_of_one_key_have_one_fingerprint() -> None:
    first, renewed, other = make("a", key_of="k"), make("b", "b.example", key_of="k"), make("a", key_of="l")
    assert first.der != renewed.der
    assert key_fingerprint(first.der) == key_fingerprint(renewed.der) != key_fingerprint(other.der)


def test_what_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="the certificate cannot be parsed"):
        key_fingerprint(b"nothing")


def test_names_dates_and_issuers_are_not_looked_at() -> None:
    made = make("somebody else", issuer=make("unknown", ca=True), end=TODAY - DAY, start=TODAY - 2 * DAY)
    assert pinned_server_key(made.der, key_fingerprint(made.der)) == made.key.public_key()


def test_another_key_is_refused_with_both_fingerprints() -> None:
    client = make_client(client_context(pinned_key=OTHER_KEY))
    error = error_of(shake_hands, client, make_server())
    assert isinstance(error, HandshakeError)
    assert error.alert == Alert.BAD_CERTIFICATE
    assert error.reason == f"the server's key is {SERVER_KEY}, and not {OTHER_KEY}"


def test_the_key_itself_must_sign() -> None:
    """Whoever shows the certificate without having its key is refused, as without a pin."""
    owner, thief = make("localhost"), make("localhost", key_of="thief")
    shown = Credential((owner.der,), owner.key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown, "sign", Credential((thief.der,), thief.key).sign)
        server = make_server(server_context(credential=shown))
        client = make_client(client_context(pinned_key=key_fingerprint(owner.der)))
        assert alert_of(shake_hands, client, server) == Alert.DECRYPT_ERROR


@pytest.mark.parametrize(("pinned_key", "offered"), [(SERVER_KEY, True), (OTHER_KEY, False)], ids=["same", "other"])
def test_a_session_of_another_key_is_not_offered(pinned_key: str, offered: bool) -> None:
    """So nothing is sent as early data to whoever this side does not know."""
    session = first_session(ticket_context())
    hello = ClientHello.parse(started(make_client(client_context(pinned_key=pinned_key), session=session))[4:])
    assert (ExtensionType.PRE_SHARED_KEY in hello.extensions) == offered


@pytest.mark.parametrize(
    "pinned_key",
    ["", "SHA256:", SERVER_KEY + "=", SERVER_KEY.removeprefix("SHA256:")],
    ids=["nothing", "no hash", "padding", "no algorithm"],
)
def test_what_is_no_fingerprint(pinned_key: str) -> None:
    with pytest.raises(ValueError, match="a pinned key is the fingerprint of one: SHA256:…"):
        client_context(pinned_key=pinned_key)
