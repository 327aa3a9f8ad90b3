"""The chat's server: who is there, who gets what, and what is kept."""

from __future__ import annotations

from chat.server.server import Server

__all__ = ["Server"]
