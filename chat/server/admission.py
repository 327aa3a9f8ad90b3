"""Who may come in: how many, from where, with which password, and under which name."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import threading
from collections import Counter

from cryptography import x509
from cryptography.x509.oid import NameOID

from chat.exchange import ErrorCode
from chat.server.guesses import Guesses
from chat.text import RESERVED_NAMES, check_name, name_key, printable

__all__ = ["MAX_CLIENTS", "MAX_PER_ADDRESS", "Admission", "Refused", "certified_name", "origin_of"]

MAX_CLIENTS = 1024
MAX_PER_ADDRESS = 256  # a whole office may come from one, but nobody alone fills the server
IPV6_NETWORK = 64  # bits: whoever has one address of it has all of them (RFC 6177 §2)


class Refused(Exception):
    """A client may not come in. error_code, reason: with what its connection is closed, so that it learns why."""

    def __init__(self, error_code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.error_code = error_code
        self.reason = reason


class Admission:
    """Counts the clients, and knows the password. Any thread may use it.

    password: what each client must say; empty: nothing. Clients of `simpleproto` cannot say it, so they stay out.
    guesses: counts wrong ones.
    """

    def __init__(
        self,
        *,
        max_clients: int = MAX_CLIENTS,
        max_per_address: int = MAX_PER_ADDRESS,
        password: str = "",
        guesses: Guesses | None = None,
    ) -> None:
        self._max_clients = max_clients
        self._max_per_address = max_per_address
        self._password = password
        self._guesses = Guesses() if guesses is None else guesses
        self._lock = threading.Lock()
        self._origins: Counter[str] = Counter()

    def enter(self, host: str) -> None:
        """Count a client at an IP address, which has to `leave` again from the same one. Raises Refused."""
        origin = origin_of(host)
        with self._lock:
            if self._origins.total() >= self._max_clients:
                raise Refused(ErrorCode.FULL, f"the server is full ({self._max_clients} clients)")
            if self._origins[origin] >= self._max_per_address:
                sentence = f"the server is full for your address ({self._max_per_address} clients)"
                raise Refused(ErrorCode.FULL, sentence)
            self._origins[origin] += 1

    def leave(self, host: str) -> None:
        """Give the place of a client back that had entered."""
        origin = origin_of(host)
        with self._lock:
            self._origins[origin] -= 1
            if self._origins[origin] <= 0:
                del self._origins[origin]

    def change_password(self, password: str) -> None:
        """Ask who comes from now on for another one."""
        with self._lock:
            self._password = password

    def check_password(self, password: str, origin: str = "", known: str = "") -> None:
        """Raises Refused unless it is right, or none is asked for. A nearly right one takes as long as any other.

        origin: where it comes from, as `origin_of` gives it; `Guesses` says when so much was wrong from there that
        nothing is looked at for a while. known: what somebody has who was let in before, and nobody else: it is looked
        at whatever others guess at the same address, and its own wrong ones count for both. Does not block.
        """
        if not self._password:
            return
        if not password:
            raise Refused(ErrorCode.PASSWORD, "this server asks for a password")
        with self._lock:
            if wait := self._guesses.wait(known or origin):
                sentence = "too many wrong passwords came from your address: try again in"
                raise Refused(ErrorCode.GUESSES, f"{sentence} {math.ceil(wait)} s")
            if hmac.compare_digest(_digest(password), _digest(self._password)):
                return
            for guesser in dict.fromkeys((origin, known or origin)):
                self._guesses.wrong(guesser)
        raise Refused(ErrorCode.PASSWORD, "the password is wrong")


def certified_name(certificate: bytes) -> str:
    """The nickname of a client with this certificate (DER): its e-mail address, else its DNS name, else common name.

    The first of them that can be a nickname. Raises Refused if none can.
    """
    for name in _names(certificate):
        try:
            nickname = check_name(printable(name).strip())
        except ValueError:
            continue
        if name_key(nickname) not in RESERVED_NAMES:
            return nickname
    sentence = "your certificate has no name that can be a nickname: an e-mail address, a DNS name or a common name"
    raise Refused(ErrorCode.NO_NAME, sentence)


def _names(certificate: bytes) -> list[str]:
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        common = [str(item.value) for item in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except ValueError:
        return []
    try:
        alternatives = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return common
    mail = alternatives.get_values_for_type(x509.RFC822Name)
    return [*mail, *alternatives.get_values_for_type(x509.DNSName), *common]


def origin_of(host: str) -> str:
    """What counts as one address with the IP address `host`."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, IPV6_NETWORK), strict=False))


def _digest(password: str) -> bytes:
    """Of one length, whatever the password's is."""
    return hashlib.sha256(password.encode(errors="surrogatepass")).digest()
