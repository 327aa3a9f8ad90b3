"""Connection IDs of this side, and where they lead (RFC 9000 §5.1, §5.2)."""

from __future__ import annotations

from quicmini.connection.cids import LOCAL_CID_LENGTH
from quicmini.connection.issuer import CidIssuer
from quicmini.connection.reset import StatelessResets
from tests.connection.pair import counting_random


class Connection:
    """Whom IDs lead to."""


def test_ids_lead_to_their_connection_until_they_are_withdrawn() -> None:
    random = counting_random("issuer")
    resets = StatelessResets(bytes(16), random)
    table: dict[bytes, Connection] = {}
    issuer = CidIssuer(table, random, resets)
    first = issuer.issue()
    assert len(first) == LOCAL_CID_LENGTH
    assert issuer.token(first) == resets.token(first)
    assert table == {}  # nobody is there yet
    connection = Connection()
    issuer.lead_to(connection)
    second = issuer.issue()
    assert table == {first: connection, second: connection}
    issuer.withdraw(first)
    assert table == {second: connection}
