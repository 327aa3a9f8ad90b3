"""Host and port as people write them: `HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT`."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["format_address", "parse_address", "parse_port"]

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:\s]+))(?::(?P<port>[^:]*))?")


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """The host and the port of `text`; ValueError, with a sentence, if it is no address. Looks no name up."""
    if _is_ipv6(text):
        return text, default_port
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is no HOST or HOST:PORT; an IPv6 address with a port is written [::1]:{default_port}"
        )
    if match["ipv6"] and not _is_ipv6(match["ipv6"]):
        raise ValueError(f"{match['ipv6']!r} is no IPv6 address")
    port = default_port if match["port"] is None else parse_port(match["port"], lowest=1)
    return match["ipv6"] or match["host"], port


def parse_port(text: str, lowest: int = 0) -> int:
    """The port number that `text` holds; ValueError, with a sentence, if it holds none."""
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: a number from {lowest} to 65535")
    return int(text)


def format_address(address: tuple[str | int, ...]) -> str:
    """`host:port` of a socket address, IPv6 in brackets; an IPv4 address inside an IPv6 one is shown as IPv4."""
    host, port = str(address[0]), address[1]
    if ":" in host and "%" not in host and (mapped := ipaddress.IPv6Address(host).ipv4_mapped):
        host = str(mapped)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
