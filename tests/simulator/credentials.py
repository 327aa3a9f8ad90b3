"""TLS settings of both sides of a simulation.

The certificate is an Ed25519 one: its signatures, unlike ECDSA's in DER, are always of the same size, and so are the
packets of two runs with the same seed. The client trusts that very certificate: the Web PKI's rules, which
`cryptography` applies to a chain, know no Ed25519.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from quicmini.connection.endpoint import ClientSettings, ServerSettings
from quicmini.tls.certificates import load_credential, load_trust_store
from quicmini.tls.context import ClientContext, ServerContext
from tests.certificates import Authority

__all__ = ["settings"]

ALPN = ("simulation",)


def settings(directory: Path) -> tuple[ClientSettings, ServerSettings]:
    """A client that verifies the server's certificate, and that server; files are made in `directory`."""
    files = Authority.create(directory).issue("simulated.example", kind="ed25519")
    now = datetime.datetime.now(datetime.UTC)
    client = ClientContext(alpn_protocols=ALPN, trust_store=load_trust_store(files.certfile), clock=lambda: now)
    server = ServerContext(alpn_protocols=ALPN, credential=load_credential(files.certfile, files.keyfile))
    return ClientSettings(client, "simulated.example"), ServerSettings(server)
