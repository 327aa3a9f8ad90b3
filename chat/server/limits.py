"""How much one client may say."""

from __future__ import annotations

from chat.message import Message

__all__ = ["Limits"]


class Limits:
    """What one client is still allowed."""

    def admit(self, message: Message) -> str:
        """Whether a message may be said now: empty, or a sentence for its sender that says why not. Does not block."""
        del message
        return ""
