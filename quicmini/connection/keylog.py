"""The names under which a key log knows a connection's secrets.

QUIC uses the labels of TLS itself, with the traffic secrets from which packet protection keys are derived (RFC 9001
§5.1); Initial secrets are not logged, since every observer can compute them (RFC 9001 §5.2).
"""

from __future__ import annotations

from quicmini.config import Keylog
from quicmini.crypto.keys import EncryptionLevel
from quicmini.tls.events import KeysReady

__all__ = ["LABELS", "log_secrets"]

# By level: the client's traffic secret, the server's.
LABELS = {
    EncryptionLevel.ZERO_RTT: ("CLIENT_EARLY_TRAFFIC_SECRET", ""),
    EncryptionLevel.HANDSHAKE: ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
    EncryptionLevel.ONE_RTT: ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"),
}


def log_secrets(log: Keylog, keys: KeysReady, client_random: bytes, *, is_client: bool) -> None:
    """Hand over the secrets that this event brings."""
    client_label, server_label = LABELS[keys.level]
    send_label, receive_label = (client_label, server_label) if is_client else (server_label, client_label)
    if keys.send_secret is not None:
        log(send_label, client_random, keys.send_secret)
    if keys.receive_secret is not None:
        log(receive_label, client_random, keys.receive_secret)
