"""What went wrong, in one sentence that also says what to do about it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from chat.exchange import ErrorCode
from chat.message import ALPN_PROTOCOLS
from chat.passwords import VARIABLE
from quicmini import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    StatelessResetError,
    VersionNegotiationError,
)

__all__ = ["Problem", "of_connecting", "of_listening", "of_talking", "reason", "wants_password", "writing"]

NO_APPLICATION_PROTOCOL = 120  # the TLS alert (RFC 7301 §3.2)
UNKNOWN_CA = 48  # (RFC 9846 §6.2)
CERTIFICATE_REQUIRED = 116
_CERTIFICATE_ALERTS = range(42, 50)  # bad_certificate to access_denied (RFC 9846 §6.2)


class Problem(Exception):
    """Ends a command: its text is for the user."""


def of_connecting(error: Exception, server: str) -> Problem:
    """Why there is no connection to `server`."""
    match error:
        case socket.gaierror():
            why = f"cannot find {server}: {error.strerror or error}; check the name"
        case ConnectionRefusedError():
            why = f"nobody listens on UDP {server}; is the server running? (python -m chat serve)"
        case HandshakeError() if not error.remote and error.alert in _CERTIFICATE_ALERTS:
            advice = (
                "name a certificate to trust with --ca FILE"
                if error.alert == UNKNOWN_CA
                else "join under a name for which its certificate is valid"
            )
            why = f"{server} is not trusted: {error.reason}; {advice}, or trust whoever answers with --insecure"
        case HandshakeError() if error.remote and error.alert == CERTIFICATE_REQUIRED:
            why = f"{server} admits only those who have a certificate: name yours with --cert FILE and --key FILE"
        case HandshakeError() if error.remote and error.alert in _CERTIFICATE_ALERTS:
            why = f"{server} does not accept the certificate of --cert: {error}"
        case ApplicationError() if wants_password(error):
            advice = f"give it with --password-file FILE, or as {VARIABLE} in the environment"
            why = f"{server} does not let you in: {error.reason}; {advice}"
        case ApplicationError() if error.remote and error.reason:
            why = f"{server} does not let you in: {error.reason}"
        case HandshakeError(alert=alert) if alert == NO_APPLICATION_PROTOCOL:
            why = f"{server} is no chat server: it speaks neither {' nor '.join(map(repr, ALPN_PROTOCOLS))}"
        case VersionNegotiationError():
            why = f"{server} speaks another version of QUIC: {error}"
        case IdleTimeoutError() | TimeoutError():
            why = f"no answer from UDP {server}; check the address, and that no firewall drops UDP"
        case FileNotFoundError() | PermissionError() if error.filename:
            why = f"cannot read {error.filename!r}: {error.strerror}"
        case ConnectionClosed():
            why = f"cannot connect to {server}: {error}"
        case OSError():
            why = f"cannot reach {server}: {error.strerror or error}"
        case _:
            why = str(error)
    return Problem(why)


def of_talking(error: ConnectionClosed, server: str) -> Problem:
    """Why the connection to `server` ended before this side wanted it to."""
    match error:
        case ConnectionClosedOK():
            return Problem(f"{server} closed the chat" + (f": {error.reason}" if error.reason else ""))
        case IdleTimeoutError():
            return Problem(f"{server} is gone: {error}")
        case _:
            return Problem(f"the connection to {server} broke: {error}")


def reason(error: Exception) -> str:
    """Why a connection was lost, in the few words that stand within a line."""
    match error:
        case ConnectionClosedOK() if error.remote:
            return error.reason or "the server closed it"
        case StatelessResetError():
            return "the server was restarted"
        case IdleTimeoutError() | TimeoutError():
            return "nothing is heard of the server"
        case ConnectionRefusedError():
            return "nobody listens there"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return str(error)


@contextmanager
def writing() -> Iterator[None]:
    """Something is written to stdout; raises Problem if it cannot be, but BrokenPipeError when nobody reads it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Problem(f"cannot write to stdout: {error.strerror}") from error


def wants_password(error: BaseException | None) -> bool:
    """Whether a connection ended because the server wants a password, or another one."""
    return isinstance(error, ApplicationError) and error.remote and error.error_code == ErrorCode.PASSWORD


def of_listening(error: Exception, address: str) -> Problem:
    """Why the server cannot listen on `address`."""
    match error:
        case socket.gaierror():
            why = f"cannot find {address}: {error.strerror or error}; --bind takes an address of this machine"
        case OSError() if error.filename:
            why = f"cannot use {str(error.filename)!r}: {error.strerror}"
        case OSError(errno=errno.EADDRINUSE):
            why = f"UDP {address} is in use by another program; choose another one with --port"
        case OSError(errno=errno.EADDRNOTAVAIL):
            why = f"cannot listen on {address}: this machine has no such address; --bind takes one that it has"
        case OSError(errno=errno.EACCES):
            why = f"cannot listen on UDP {address}: ports below 1024 are for the superuser; choose one with --port"
        case OSError():
            why = f"cannot listen on UDP {address}: {error.strerror or error}"
        case _:
            why = str(error)
    return Problem(why)
