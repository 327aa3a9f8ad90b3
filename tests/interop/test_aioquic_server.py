"""Our client against aioquic's server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from quicmini import Config, Connection, HandshakeError, connect
from tests.blocking_transfer import request
from tests.certificates import Authority, CertificateFiles
from tests.interop.processes import aioquic_server
from tests.relay import Relay
from tests.transfer import ALPN, Requester

MB = 1_000_000
DEFAULTS = Config()
SUITES = {
    "AES_128_GCM_SHA256": 0x1301,
    "AES_256_GCM_SHA384": 0x1302,
    "CHACHA20_POLY1305_SHA256": 0x1303,
}
GROUPS = {"X25519": 0x1D, "SECP256R1": 0x17, "SECP384R1": 0x18}


def connecting(address: tuple[str, int], files: CertificateFiles, config: Config = DEFAULTS) -> Connection:
    return connect(address, alpn_protocols=[ALPN], server_hostname="localhost", cafile=files.cafile, config=config)


@pytest.mark.parametrize("suite", SUITES)
def test_each_cipher_suite_alone(server_files: CertificateFiles, suite: str) -> None:
    with aioquic_server(server_files, "--suite", suite) as server:
        with connecting(server.address, server_files, Config(cipher_suites=(SUITES[suite],))) as connection:
            assert connection.selected_alpn_protocol() == ALPN
            request(connection, Requester(5000, 5000))
        assert server.report()["cipher_suite"] == suite


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_alone(server_files: CertificateFiles, group: str) -> None:
    with aioquic_server(server_files, "--group", group) as server:
        with connecting(server.address, server_files, Config(groups=(GROUPS[group],))) as connection:
            request(connection, Requester(5000, 5000))
        assert server.report()["error_code"] == 0


@pytest.mark.parametrize("kind", ["rsa_files", "server_files"])
def test_each_kind_of_certificate(kind: str, request: pytest.FixtureRequest) -> None:
    files: CertificateFiles = request.getfixturevalue(kind)
    with aioquic_server(files) as server, connecting(server.address, files) as connection:
        assert connection.getpeercert() is not None


def transfers(connection: Connection, streams: int, upload: int, download: int) -> None:
    """Several transfers at once."""
    with ThreadPoolExecutor(streams) as threads:
        for each in [threads.submit(request, connection, Requester(upload, download)) for _ in range(streams)]:
            each.result()


def test_a_megabyte_each_way_on_several_streams_at_once(server_files: CertificateFiles) -> None:
    with aioquic_server(server_files) as server, connecting(server.address, server_files) as connection:
        transfers(connection, 4, MB, MB)


def test_both_sides_see_the_application_close(server_files: CertificateFiles) -> None:
    with aioquic_server(server_files) as server:
        connection = connecting(server.address, server_files)
        connection.close(7, "that is all")
        report = server.report()
    assert (report["error_code"], report["frame_type"], report["reason"]) == (7, None, "that is all")


def test_no_common_protocol(server_files: CertificateFiles) -> None:
    with (
        aioquic_server(server_files, "--alpn", "something else") as server,
        pytest.raises(HandshakeError) as caught,
    ):
        connecting(server.address, server_files)
    assert caught.value.remote
    assert 0x100 <= caught.value.error_code < 0x200


def test_an_untrusted_certificate(server_files: CertificateFiles, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = Authority.create(tmp_path_factory.mktemp("stranger")).issue()
    with aioquic_server(stranger) as server:
        with pytest.raises(HandshakeError) as caught:
            connecting(server.address, server_files)
        report = server.report()
    assert not caught.value.remote
    assert caught.value.alert == 48  # unknown_ca
    assert report["error_code"] == caught.value.error_code


@pytest.mark.parametrize("seed", [1, 2])
def test_a_network_that_loses(server_files: CertificateFiles, seed: int) -> None:
    with (
        aioquic_server(server_files) as server,
        Relay(server.address, loss=0.05, duplicate=0.02, reorder=0.02, seed=seed) as relay,
        connecting(relay.address, server_files) as connection,
    ):
        transfers(connection, 2, MB // 4, MB // 4)
        assert relay.counts["lost"] > 0, relay


def test_64_megabytes_each_way(server_files: CertificateFiles) -> None:
    with aioquic_server(server_files) as server, connecting(server.address, server_files) as connection:
        request(connection, Requester(64 * MB, 1))
        request(connection, Requester(1, 64 * MB))
