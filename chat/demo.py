"""`demo`: a server and two clients, three processes, hold a conversation; then what QUIC did for it."""

from __future__ import annotations

import argparse

__all__ = ["demo"]


def demo(options: argparse.Namespace) -> int:
    return 0
