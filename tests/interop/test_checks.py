"""Each check finds fault with a run that does not show what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import CertificateFiles
from tests.interop import checks
from tests.interop.checks import Check, Evidence, handshakes
from tests.interop.test_dissect import captured_of, talk


@pytest.fixture(scope="module")
def evidence(server_files: CertificateFiles, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """An ordinary connection over IPv4 in which nothing remarkable happens; no files."""
    directory = tmp_path_factory.mktemp("evidence")
    www, downloads, log = directory / "www", directory / "downloads", directory / "keys.log"
    for folder in (www, downloads):
        folder.mkdir()
    return Evidence(www, downloads, captured_of(talk(server_files, log)), [log, directory / "no such file"])


@pytest.mark.parametrize(
    "check", [checks.files, handshakes(1), checks.only_version_1, checks.no_retry, checks.moderate_stream_limit]
)
def test_an_ordinary_run_is_right(evidence: Evidence, check: Check) -> None:
    assert list(check(evidence)) == []


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (handshakes(2), "1 handshakes, not 2"),
        (checks.several_client_hellos, "1 ClientHello in spite"),
        (checks.only_chacha20, "the client offers the cipher suites ['0x1301']"),
        (checks.retry_is_followed, "no Retry packet"),
        (checks.certificate_only_once, "connection 2: no answer"),
        (checks.early_requests, "no 0-RTT packets"),
        (checks.both_update_keys, "the client never used key phase 1"),
        (checks.both_use_ecn, "the client marks no packet"),
        (checks.amplification_is_limited, "less than its chain of certificates"),
        (checks.only_ipv6, "IPv4 packets"),
        (checks.compatible_version_2, "the server does not choose version 2"),
        (checks.new_paths_are_validated, "the server saw one path only"),
        (checks.several_addresses, "the server saw one address only"),
        (checks.preferred_address_is_announced, "the server announces no preferred address"),
        (checks.new_path_new_cid, "the client stayed where it was"),
    ],
)
def test_what_is_not_there_is_missed(evidence: Evidence, check: Check, sentence: str) -> None:
    assert any(sentence in found for found in check(evidence))


def test_files_are_compared(tmp_path: Path) -> None:
    www, downloads = tmp_path / "www", tmp_path / "downloads"
    for folder in (www, downloads):
        folder.mkdir()
        (folder / "same").write_bytes(b"same")
    (www / "changed").write_bytes(b"before")
    (downloads / "changed").write_bytes(b"after")
    (www / "missing").touch()
    assert list(checks.files(Evidence(www, downloads, [], []))) == [
        "1 of 3 files are missing, 0 are unexpected",
        "changed: 5 bytes, not the 6 of the server",
    ]
