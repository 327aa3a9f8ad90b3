"""What the public QUIC interop runner tells an endpoint, and hq-interop, the little protocol that files travel by.

An endpoint is a program that learns all it must know from its environment:

    ROLE                "client" or "server"
    TESTCASE            what to do; exit status 127 says that this endpoint cannot
    REQUESTS            client: URLs of the files to fetch, separated by spaces
    WWW, DOWNLOADS      the server's folder with the files; the client's for what it fetched
    CERTS               folder with cert.pem and priv.key (server), ca.pem (client)
    SSLKEYLOGFILE       where to write the key log; empty: nowhere
    QLOGDIR             where to write qlog files; empty: nowhere

and, beyond the convention, because here all endpoints share one machine:

    LISTEN              server: "host port", port 0: any; it prints "listening on PORT" (the convention: ":: 443")
    PREFERRED_ADDRESS   server: "host port" to announce in the case connectionmigration (which asks a client to move on
                        its own)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["ALPN", "UNSUPPORTED", "Environment", "Request", "file_asked_for", "request_line"]

ALPN = "hq-interop"
UNSUPPORTED = 127  # exit status

Address = tuple[str, int]


@dataclass(frozen=True)
class Request:
    """One file of one server."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Request:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"not a URL to fetch: {url!r}")
        return cls(parts.hostname, parts.port or 443, parts.path or "/")

    @property
    def file_name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Environment:
    """The variables, parsed."""

    is_client: bool
    test_case: str
    requests: tuple[Request, ...]
    www: Path
    downloads: Path
    certificates: Path
    key_log: str
    qlog: str
    listen: Address
    preferred_address: Address | None

    @classmethod
    def parse(cls, variables: Mapping[str, str]) -> Environment:
        """Raises ValueError for what makes no sense."""
        role = variables.get("ROLE", "")
        if role not in ("client", "server"):
            raise ValueError(f"ROLE must be client or server (got {role!r})")
        preferred = variables.get("PREFERRED_ADDRESS")
        return cls(
            is_client=role == "client",
            test_case=variables.get("TESTCASE", ""),
            requests=tuple(Request.parse(url) for url in variables.get("REQUESTS", "").split()),
            www=Path(variables.get("WWW", "/www")),
            downloads=Path(variables.get("DOWNLOADS", "/downloads")),
            certificates=Path(variables.get("CERTS", "/certs")),
            key_log=variables.get("SSLKEYLOGFILE", ""),
            qlog=variables.get("QLOGDIR", ""),
            listen=_address(variables.get("LISTEN", ":: 443")),
            preferred_address=_address(preferred) if preferred else None,
        )

    @property
    def certificate_file(self) -> str:
        return str(self.certificates / "cert.pem")

    @property
    def key_file(self) -> str:
        return str(self.certificates / "priv.key")

    @property
    def authority_file(self) -> str | None:
        """The trusted certificates; None where there are none, and any certificate must do."""
        path = self.certificates / "ca.pem"
        return str(path) if path.exists() else None


def _address(text: str) -> Address:
    host, port = text.split()
    return host, int(port)


def request_line(request: Request) -> bytes:
    """What a client sends on a stream, before its end."""
    return f"GET {request.path}\r\n".encode()


def file_asked_for(line: bytes, www: Path) -> Path | None:
    """The file that a request line asks for; None if the line is none, or if there is no such file in the folder."""
    words = line.decode(errors="replace").split()
    if len(words) < 2 or words[0] != "GET":
        return None
    root = www.resolve()
    path = (root / words[1].lstrip("/")).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None
