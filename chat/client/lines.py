"""The lines that a person types, or another program writes."""

from __future__ import annotations

from collections.abc import Iterator

from chat.message import MAX_MESSAGE_SIZE

__all__ = ["read_lines"]


def read_lines(descriptor: int) -> Iterator[str]:
    """The lines of an open file, without their ends; bytes that are no UTF-8 become U+FFFD.

    Of a line that is too long for a message only so much is kept that `Message.encode` refuses it.
    """
    limit = MAX_MESSAGE_SIZE + 1
    # A file object of its own: the interpreter cannot exit properly while a daemon thread reads sys.stdin.
    with open(descriptor, "rb", closefd=False) as file:
        while line := file.readline(limit):
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(limit)):
                pass
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")
