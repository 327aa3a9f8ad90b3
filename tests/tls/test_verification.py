"""Chains, dates and names: what a client believes, and what it says when it does not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import HandshakeError
from quicmini.tls.certificates import TrustStore, load_credential, load_trust_store
from quicmini.tls.codes import Alert
from quicmini.tls.verification import (
    authenticated_client_key,
    authenticated_key,
    parse_certificate,
    parse_server_name,
    public_key,
    verify_chain,
)
from tests.certificates import Authority, CertificateFiles
from tests.tls.certs import DAY, TODAY, Made, make
from tests.tls.openssl import NEW_KEY, self_signed, signed
from tests.tls.peers import (
    alert_of,
    client_context,
    error_of,
    make_client,
    make_server,
    outcome,
    server_context,
    shake_hands,
)

ROOT = make("root", ca=True)
INTERMEDIATE = make("intermediate", ca=True, issuer=ROOT)
RSA_ROOT = make("rsa root", kind="rsa", ca=True)
TRUST = TrustStore([ROOT.certificate])
NAMES = ("example.com", "*.example.org", "127.0.0.1", "::1")
LEAF = make("leaf", *NAMES, issuer=INTERMEDIATE)


def verify(
    *chain: Made, name: str = "example.com", trust: tuple[Made, ...] = (ROOT,), after: timedelta = timedelta()
) -> str:
    """ "" if the chain is accepted, otherwise "alert: sentence"."""
    store = TrustStore([made.certificate for made in trust])
    certificates = [made.certificate for made in chain]
    try:
        verify_chain(certificates, chain[0].der, parse_server_name(name), store, TODAY + after)
    except HandshakeError as error:
        return f"{error.alert}: {error.reason}".replace("certificate verify failed: ", "", 1)
    return ""


@pytest.mark.parametrize(
    "name", ["example.com", "EXAMPLE.COM.", "a.example.org", "127.0.0.1", "::1", "0:0::1", "::1%lo"]
)
def test_a_chain_to_a_trusted_root(name: str) -> None:
    assert verify(LEAF, INTERMEDIATE, name=name) == ""


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-p384", "rsa"])
@pytest.mark.parametrize("root", [ROOT, RSA_ROOT])
def test_a_root_that_signs_itself(kind: str, root: Made) -> None:
    assert verify(make("localhost", "localhost", kind=kind, issuer=root), name="localhost", trust=(root,)) == ""


def test_superfluous_certificates_in_any_order() -> None:
    """RFC 9846 §4.5.1: only the first has its place."""
    assert verify(LEAF, ROOT, RSA_ROOT, INTERMEDIATE) == ""


@pytest.mark.parametrize("name", ["localhost", "example.org", "a.b.example.org", "127.0.0.2", "::2", "xexample.com"])
def test_another_name(name: str) -> None:
    shown = "'example.com', '*.example.org', '127.0.0.1' and 1 more"
    assert verify(LEAF, INTERMEDIATE, name=name) == f"42: the certificate is for {shown}, not for {name!r}"


def test_an_address_is_no_host_name() -> None:
    leaf = make("leaf", "localhost", issuer=ROOT)
    assert verify(leaf, name="127.0.0.1") == "42: the certificate is for 'localhost', not for '127.0.0.1'"


@pytest.mark.parametrize(
    ("trust", "chain", "issuer"),
    [
        ((RSA_ROOT,), (LEAF, INTERMEDIATE), "CN=root"),
        ((ROOT,), (LEAF,), "CN=intermediate"),
        ((make("root", ca=True, key_of="impostor"),), (LEAF, INTERMEDIATE), "CN=root"),
    ],
    ids=["another root", "a link is missing", "another key under the same name"],
)
def test_an_unknown_issuer(trust: tuple[Made, ...], chain: tuple[Made, ...], issuer: str) -> None:
    assert verify(*chain, trust=trust) == f"48: the issuer {issuer!r} is not in the trust store"


def test_self_signed_and_not_trusted() -> None:
    assert verify(make("localhost", "localhost"), name="localhost") == (
        "48: 'CN=localhost' is self-signed and not in the trust store"
    )


def test_dates() -> None:
    end = LEAF.certificate.not_valid_after_utc
    assert verify(LEAF, INTERMEDIATE, after=31 * DAY) == (
        f"45: the certificate of 'CN=leaf' expired on {end:%Y-%m-%d %H:%M:%S} UTC"
    )
    start = LEAF.certificate.not_valid_before_utc
    assert verify(LEAF, INTERMEDIATE, after=-2 * DAY) == (
        f"45: the certificate of 'CN=leaf' is not valid before {start:%Y-%m-%d %H:%M:%S} UTC"
    )
    old = make("old", ca=True, issuer=ROOT, end=TODAY - DAY / 2)
    leaf = make("leaf", "example.com", issuer=old)
    assert verify(leaf, old).startswith("45: the certificate of 'CN=old' expired")


def test_an_issuer_that_is_no_authority() -> None:
    """Whoever has a certificate cannot make others (RFC 5280 §6.1.4 (k))."""
    owner = make("owner", "example.net", issuer=ROOT)
    assert verify(make("leaf", "example.com", issuer=owner), owner).startswith("42: ")


def test_an_authority_is_no_server() -> None:
    assert verify(make("leaf", "example.com", issuer=ROOT, ca=True)).startswith("42: ")


def test_names_in_the_subject_do_not_count() -> None:
    leaf = make("example.com", issuer=ROOT)
    assert verify(leaf) == "42: the certificate of 'CN=example.com' has no subjectAltName"


def test_a_name_that_the_library_does_not_take() -> None:
    leaf = make("leaf", "my_host", issuer=ROOT)
    assert verify(leaf, name="my_host").startswith("42: ")
    own = make("my_host", "my_host")
    assert verify(own, name="my_host", trust=(own,)) == ""


# A certificate that is itself in the trust store


@pytest.mark.parametrize("ca", [True, False])
@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-p384", "rsa", "ed25519"])
def test_a_certificate_that_is_trusted_itself(ca: bool, kind: str) -> None:
    own = make("own", "localhost", "::1", "*.example.org", kind=kind, ca=ca)

    def tried(name: str, after: timedelta = timedelta()) -> str:
        return verify(own, name=name, trust=(ROOT, own), after=after)

    assert {tried(name) for name in ("localhost", "LOCALHOST.", "::1", "a.example.org")} == {""}
    shown = "'localhost', '*.example.org', '::1'"
    for name in ("own", "example.org", "a.b.example.org", "127.0.0.1"):
        assert tried(name) == f"42: the certificate is for {shown}, not for {name!r}"
    assert tried("localhost", 31 * DAY).startswith("45: the certificate of 'CN=own' expired on ")
    assert tried("localhost", -2 * DAY).startswith("45: the certificate of 'CN=own' is not valid before ")


def test_a_common_name_counts_only_there_and_only_without_alternatives() -> None:
    own = make("localhost")
    assert verify(own, name="localhost", trust=(own,)) == ""
    assert verify(own, name="example.com", trust=(own,)) == (
        "42: the certificate is for 'localhost', not for 'example.com'"
    )
    address = make("127.0.0.1")
    assert verify(address, name="127.0.0.1", trust=(address,)) == ""
    own = make("localhost", "example.com")
    assert verify(own, name="localhost", trust=(own,)) == (
        "42: the certificate is for 'example.com', not for 'localhost'"
    )


def test_the_trusted_certificate_itself_and_not_one_like_it() -> None:
    own, like = make("localhost", "localhost"), make("localhost", "localhost", key_of="impostor")
    assert verify(like, name="localhost", trust=(own,)).startswith("48: ")


def test_a_trusted_intermediate_is_enough() -> None:
    assert verify(LEAF, trust=(INTERMEDIATE,)) == ""


# Certificates that a peer has made up


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["leaf", "intermediate", "trusted itself"]),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_changed_bytes_never_pass_and_never_raise_anything_else(which: str, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(INTERMEDIATE.der if which == "intermediate" else LEAF.der)
    for place, change in changes:
        changed[place % len(changed)] ^= change
    name = parse_server_name("example.com")

    def check() -> None:
        certificate = parse_certificate(bytes(changed))
        public_key(certificate)
        if which == "trusted itself":
            verify_chain([certificate], bytes(changed), name, TrustStore([certificate]), TODAY)
        elif which == "leaf":
            verify_chain([certificate, INTERMEDIATE.certificate], bytes(changed), name, TRUST, TODAY)
        else:
            verify_chain([LEAF.certificate, certificate], LEAF.der, name, TRUST, TODAY)

    result = outcome(check)
    assert result is not None or which == "trusted itself" or bytes(changed) in (LEAF.der, INTERMEDIATE.der)


VERSION = bytes.fromhex("a003020102")  # v3
CURVE = bytes.fromhex("06082a8648ce3d030107")  # P-256


@pytest.mark.parametrize(
    ("old", "new", "alert"),
    [
        (VERSION, VERSION[:-1] + b"\x2a", Alert.BAD_CERTIFICATE),
        (CURVE, CURVE[:-1] + b"\x63", Alert.UNSUPPORTED_CERTIFICATE),
    ],
)
def test_certificates_that_the_library_has_its_own_errors_for(old: bytes, new: bytes, alert: Alert) -> None:
    assert LEAF.der.count(old) == 1
    changed = LEAF.der.replace(old, new)
    assert alert_of(lambda: public_key(parse_certificate(changed))) == alert


# Certificates of the openssl command line, through a whole handshake


def handshake(certfile: str, keyfile: str, cafile: str, name: str) -> bool:
    client = make_client(client_context(load_trust_store(cafile)), name)
    shake_hands(client, make_server(server_context(credential=load_credential(certfile, keyfile))))
    return client.complete


@pytest.mark.parametrize("kind", NEW_KEY)
@pytest.mark.parametrize("ca", [None, True, False])
@pytest.mark.parametrize("san", [None, "DNS:localhost,IP:127.0.0.1"])
def test_self_signed_by_openssl(tmp_path: Path, kind: str, ca: bool | None, san: str | None) -> None:
    certfile, keyfile = self_signed(tmp_path, kind, ca=ca, san=san)
    assert handshake(certfile, keyfile, certfile, "localhost")
    error = error_of(handshake, certfile, keyfile, certfile, "example.com")
    assert error.error_code == 0x100 + Alert.BAD_CERTIFICATE
    assert error.reason.endswith("not for 'example.com'")
    error = error_of(handshake, certfile, keyfile, write(tmp_path / "ca.pem", ROOT), "localhost")
    assert error.error_code == 0x100 + Alert.UNKNOWN_CA


def write(path: Path, *certificates: Made) -> str:
    path.write_bytes(b"".join(made.pem for made in certificates))
    return str(path)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("root_kind", ["rsa", "ec"])
def test_signed_by_an_authority_of_openssl(tmp_path: Path, kind: str, root_kind: str) -> None:
    """Such a root has no keyUsage, and such a leaf says nothing about being an authority."""
    cafile, cakey = self_signed(tmp_path, root_kind, common_name="root")
    certfile, keyfile = signed(tmp_path, kind, cafile, cakey, "DNS:localhost,IP:::1")
    assert handshake(certfile, keyfile, cafile, "localhost")
    assert handshake(certfile, keyfile, cafile, "::1")
    error = error_of(handshake, certfile, keyfile, cafile, "example.com")
    assert error.reason == (
        "certificate verify failed: the certificate is for 'localhost', '::1', not for 'example.com'"
    )


def test_an_authority_whose_key_usage_excludes_signing_certificates() -> None:
    """RFC 5280 §6.1.4 (n); without the extension there is nothing to check."""
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    limited = make("limited", ca=True, issuer=ROOT, key_usage=usage)
    assert verify(make("leaf", "example.com", issuer=limited), limited).startswith("42: ")


# Clients


def client_alert(*chain: Made, trust: tuple[Made, ...] = (ROOT,), after: timedelta = timedelta()) -> int | None:
    """The alert that a client with this chain is answered with, None if it is believed."""
    store = TrustStore([made.certificate for made in trust])
    try:
        authenticated_client_key(tuple(made.der for made in chain), store, TODAY + after)
    except HandshakeError as error:
        return error.alert
    return None


CLIENT = make("Alice", issuer=INTERMEDIATE)  # no subjectAltName at all


@pytest.mark.parametrize("chain", [(CLIENT, INTERMEDIATE), (LEAF, INTERMEDIATE)], ids=["no names", "names"])
def test_a_client_with_any_name(chain: tuple[Made, ...]) -> None:
    assert client_alert(*chain) is None


def test_a_client_that_is_trusted_by_its_own_certificate() -> None:
    alone = make("Alice")
    assert client_alert(alone, trust=(alone,)) is None
    assert client_alert(alone, trust=(alone,), after=31 * DAY) == Alert.CERTIFICATE_EXPIRED


def test_a_client_without_a_certificate() -> None:
    assert client_alert() == Alert.CERTIFICATE_REQUIRED


def test_clients_that_are_not_believed() -> None:
    assert client_alert(CLIENT) == Alert.UNKNOWN_CA  # the intermediate certificate is missing
    assert client_alert(CLIENT, INTERMEDIATE, trust=(RSA_ROOT,)) == Alert.UNKNOWN_CA
    assert client_alert(CLIENT, INTERMEDIATE, after=31 * DAY) == Alert.CERTIFICATE_EXPIRED
    assert client_alert(make("Alice", issuer=make("Eve", issuer=ROOT)), make("Eve", issuer=ROOT)) is not None


def test_a_servers_certificate_is_none_of_a_client(authority: Authority) -> None:
    """extendedKeyUsage tells them apart (RFC 5280 §4.2.1.12)."""
    store = load_trust_store(authority.cafile)
    for client in (True, False):
        chain = load_credential(*_paths(authority.issue("localhost", client=client))).chain
        as_client = outcome(authenticated_client_key, chain, store, TODAY + DAY)
        as_server = outcome(authenticated_key, chain, parse_server_name("localhost"), store, TODAY + DAY)
        assert (as_client is None, as_server is None) == (client, not client)


def _paths(files: CertificateFiles) -> tuple[str, str]:
    return files.certfile, files.keyfile


def test_what_was_verified_for_a_client_says_nothing_about_a_server() -> None:
    """One trust store may serve both ways: its memory keeps them apart."""
    store = TrustStore([ROOT.certificate])
    chain = (CLIENT.der, INTERMEDIATE.der)
    authenticated_client_key(chain, store, TODAY)
    assert alert_of(authenticated_key, chain, parse_server_name("alice"), store, TODAY) == Alert.BAD_CERTIFICATE
