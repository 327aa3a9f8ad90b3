"""aioquic's client against our server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from quicmini import Config, listen
from tests.blocking_transfer import Ends, serving
from tests.certificates import Authority, CertificateFiles
from tests.interop.processes import Report, aioquic_client
from tests.interop.test_aioquic_server import DEFAULTS, GROUPS, MB, SUITES
from tests.relay import Relay
from tests.transfer import ALPN


@contextmanager
def our_server(files: CertificateFiles, config: Config = DEFAULTS) -> Iterator[tuple[tuple[str, int], Ends]]:
    """Our server: its address, and how each connection ended."""
    with (
        listen(
            ("127.0.0.1", 0), alpn_protocols=[ALPN], certfile=files.certfile, keyfile=files.keyfile, config=config
        ) as listener,
        serving(listener) as ends,
    ):
        yield listener.address, ends


def fetch(address: tuple[str, int], files: CertificateFiles, *options: str) -> Report:
    """One run of aioquic's client; its last report."""
    report = aioquic_client("fetch", address, files.cafile, *options)[-1]
    assert report["event"] == "done"
    assert report["failure"] is None
    assert report["unfinished_streams"] == 0
    return report


@pytest.mark.parametrize("suite", SUITES)
def test_each_cipher_suite_alone(server_files: CertificateFiles, suite: str) -> None:
    with our_server(server_files, Config(cipher_suites=(SUITES[suite],))) as (address, _):
        report = fetch(address, server_files, "--suite", suite)
    assert (report["cipher_suite"], report["alpn"]) == (suite, ALPN)


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_alone(server_files: CertificateFiles, group: str) -> None:
    with our_server(server_files, Config(groups=(GROUPS[group],))) as (address, _):
        fetch(address, server_files, "--group", group)


@pytest.mark.parametrize("kind", ["rsa_files", "ed25519_files", "server_files"])
def test_each_kind_of_certificate(kind: str, request: pytest.FixtureRequest) -> None:
    files: CertificateFiles = request.getfixturevalue(kind)
    with our_server(files) as (address, _):
        fetch(address, files)


def test_a_megabyte_each_way_on_several_streams_at_once(server_files: CertificateFiles) -> None:
    with our_server(server_files) as (address, _):
        fetch(address, server_files, "--streams", "4", "--upload", str(MB), "--download", str(MB))


def test_both_sides_see_the_application_close(server_files: CertificateFiles) -> None:
    with our_server(server_files) as (address, ends):
        report = fetch(address, server_files, "--close-code", "7", "--close-reason", "that is all")
    assert (report["error_code"], report["reason"]) == (7, "that is all")
    assert [(end.error_code, end.reason, end.remote) for end in ends] == [(7, "that is all", True)]


def test_no_common_protocol(server_files: CertificateFiles) -> None:
    with our_server(server_files) as (address, _):
        report = aioquic_client("fetch", address, server_files.cafile, "--alpn", "something else")[-1]
    assert (report["event"], report["error_code"]) == ("failed", 0x178)


def test_an_untrusted_certificate(server_files: CertificateFiles, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = Authority.create(tmp_path_factory.mktemp("stranger"))
    with our_server(server_files) as (address, ends):
        report = aioquic_client("fetch", address, stranger.cafile)[-1]
    assert report["event"] == "failed"
    assert ends == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_network_that_loses(server_files: CertificateFiles, seed: int) -> None:
    with our_server(server_files) as (address, _):
        with Relay(address, loss=0.05, duplicate=0.02, reorder=0.02, seed=seed) as relay:
            fetch(relay.address, server_files, "--streams", "2", "--upload", str(MB // 4), "--download", str(MB // 4))
        assert relay.counts["lost"] > 0, relay


def test_64_megabytes_each_way(server_files: CertificateFiles) -> None:
    with our_server(server_files) as (address, _):
        fetch(address, server_files, "--upload", str(64 * MB))
        fetch(address, server_files, "--download", str(64 * MB))
