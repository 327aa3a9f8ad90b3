"""Why a server could not be probed, in one sentence that also says what to try."""

from __future__ import annotations

from quicmini.errors import ConnectionClosed, HandshakeError, IdleTimeoutError, VersionNegotiationError
from quicmini.study.terminal import printable
from quicmini.sync.inquiry import Answer

__all__ = ["explain"]

NO_APPLICATION_PROTOCOL = 120  # the TLS alert (RFC 7301 §3.2)


def explain(error: Exception, server: str, protocols: tuple[str, ...], answer: Answer | None) -> str:
    """The sentence for whatever `ask_versions` or `connect` has raised; what the server says in it is harmless."""
    return printable(_sentence(error, server, protocols, answer))


def _sentence(error: Exception, server: str, protocols: tuple[str, ...], answer: Answer | None) -> str:
    match error:
        case ConnectionRefusedError() if not isinstance(error, ConnectionClosed):
            return f"nobody listens on UDP {server} (ICMP: port unreachable): is it the right port?"
        case HandshakeError(alert=alert) if alert == NO_APPLICATION_PROTOCOL:
            return (
                f"{server} speaks none of the application protocols that were offered ({', '.join(protocols)}): "
                "name one that it speaks with --alpn"
            )
        case VersionNegotiationError():
            return f"{server} speaks another version of QUIC: {error}"
        case IdleTimeoutError() | TimeoutError() if answer is not None:
            return f"{server} tells its versions, but does not answer the handshake: try another --name, or --timeout"
        case IdleTimeoutError() | TimeoutError():
            return f"no answer from UDP {server}: check that it is a QUIC server, and that no firewall drops UDP"
        case ConnectionClosed():
            return f"the handshake with {server} failed: {error}"
        case OSError():
            return f"cannot reach {server}: {error.strerror or error}; check the name and the network"
    return str(error)
