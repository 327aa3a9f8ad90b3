"""Our client goes on from other addresses, and aioquic's server follows (RFC 9000 §9)."""

from __future__ import annotations

from tests.blocking_transfer import request
from tests.certificates import CertificateFiles
from tests.interop.processes import aioquic_server
from tests.interop.test_aioquic_server import MB, connecting
from tests.sync.helpers import PATIENCE, in_thread
from tests.transfer import Requester


def test_a_client_moves_before_between_and_during_transfers(server_files: CertificateFiles) -> None:
    with aioquic_server(server_files) as server, connecting(server.address, server_files) as connection:
        for number in (2, 3):
            connection.migrate((f"127.0.0.{number}", 0), timeout=PATIENCE)
            request(connection, Requester(MB // 4, MB // 4))
        under_way = in_thread(request, connection, Requester(2 * MB, 2 * MB))
        connection.migrate(("127.0.0.4", 0), timeout=PATIENCE)
        under_way.result(PATIENCE)
        assert connection.local_address[0] == "127.0.0.4"
