"""The self-signed certificate: what is in it, when it is made again, who may read its key."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from chat.certificates import (
    LIFETIME,
    RENEWAL,
    default_state_dir,
    fingerprint,
    kept_certificate,
    public_key_fingerprint,
)
from quicmini.tls.certificates import load_credential

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def names(certfile: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(certfile.read_bytes())
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in alternatives}


def test_what_is_in_it(tmp_path: Path) -> None:
    files = kept_certificate(tmp_path / "new" / "state", "chat.example.org", NOW)
    certificate = x509.load_pem_x509_certificate(files.certfile.read_bytes())
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert names(files.certfile) == {"localhost", "127.0.0.1", "::1", "chat.example.org"}
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc == NOW + LIFETIME
    certificate.verify_directly_issued_by(certificate)


@pytest.mark.parametrize(("bind", "more"), [("0.0.0.0", set()), ("::", set()), ("192.0.2.1", {"192.0.2.1"})])
def test_names_follow_the_address(tmp_path: Path, bind: str, more: set[str]) -> None:
    files = kept_certificate(tmp_path, bind, NOW)
    assert names(files.certfile) == {"localhost", "127.0.0.1", "::1"} | more


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    files = kept_certificate(tmp_path / "state", "localhost", NOW)
    assert files.keyfile.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in files.keyfile.parent.iterdir()) == ["cert.pem", "key.pem"]


def test_it_is_kept(tmp_path: Path) -> None:
    first = fingerprint(kept_certificate(tmp_path, "192.0.2.1", NOW).certfile)
    assert fingerprint(kept_certificate(tmp_path, "192.0.2.1", NOW).certfile) == first
    assert fingerprint(kept_certificate(tmp_path, "0.0.0.0", NOW).certfile) == first


@pytest.mark.parametrize("spoilt", ["expired", "other address", "no key", "other key", "broken"])
def test_it_is_made_again_when_it_is_no_use(tmp_path: Path, spoilt: str) -> None:
    files = kept_certificate(tmp_path, "localhost", NOW)
    first = fingerprint(files.certfile)
    now, bind = NOW, "localhost"
    match spoilt:
        case "expired":
            now += LIFETIME - RENEWAL
        case "other address":
            bind = "192.0.2.1"
        case "no key":
            files.keyfile.unlink()
        case "other key":
            files.keyfile.write_bytes(kept_certificate(tmp_path / "other", bind, NOW).keyfile.read_bytes())
        case "broken":
            files.certfile.write_text("no certificate")
    key = files.keyfile.read_bytes() if files.keyfile.exists() else b""
    assert fingerprint(kept_certificate(tmp_path, bind, now).certfile) != first
    assert (files.keyfile.read_bytes() == key) == bool(key)
    assert files.keyfile.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoilt", ["broken", "encrypted", "of another kind"])
def test_a_key_that_is_no_use_is_made_again_which_is_said(
    tmp_path: Path, spoilt: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = kept_certificate(tmp_path, "localhost", NOW)
    assert caplog.messages == []
    keys: dict[str, list[str]] = {
        "encrypted": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:secret"],
        "of another kind": ["ed25519"],
    }
    files.keyfile.write_text("no key")
    if spoilt in keys:
        command = ["openssl", "genpkey", "-out", str(files.keyfile), "-algorithm", *keys[spoilt]]
        subprocess.run(command, capture_output=True, check=True)
    kept_certificate(tmp_path, "localhost", NOW)
    assert [message.partition(" and ")[0] for message in caplog.messages] == [
        f"{files.keyfile} holds no key of the kind that is made here,"
    ]
    load_credential(files.certfile, files.keyfile)
    assert files.keyfile.stat().st_mode & 0o777 == 0o600


def test_a_renewed_certificate_is_known_by_its_key(tmp_path: Path) -> None:
    files = kept_certificate(tmp_path, "localhost", NOW)
    first = public_key_fingerprint(files.certfile)
    for bind, now in (("192.0.2.1", NOW), ("192.0.2.1", NOW + LIFETIME)):
        assert public_key_fingerprint(kept_certificate(tmp_path, bind, now).certfile) == first


def test_fingerprint_is_what_openssl_prints(tmp_path: Path) -> None:
    files = kept_certificate(tmp_path, "localhost", NOW)
    command = ["openssl", "x509", "-in", str(files.certfile), "-noout", "-fingerprint", "-sha256"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip().partition("=")[2] == fingerprint(files.certfile)


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        kept_certificate(tmp_path / "file", "localhost", NOW)


def test_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / "quicmini-chat"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/zoe")
    assert default_state_dir() == Path("/home/zoe/.local/state/quicmini-chat")
