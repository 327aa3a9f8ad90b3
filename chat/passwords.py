"""The password that a server may ask for: a line in a file, a variable of the environment, or typed."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

__all__ = ["MAX_LENGTH", "VARIABLE", "ask", "given", "read_file"]

VARIABLE = "CHAT_PASSWORD"
MAX_LENGTH = 1024  # bytes


def read_file(path: str) -> str:
    """The first line of a file. Raises ValueError, with a sentence, if there is none or it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            line = file.readline(MAX_LENGTH + 2)
    except OSError as error:
        raise ValueError(f"cannot read {path!r}: {error.strerror}") from None
    return _checked(line.removesuffix(b"\n").removesuffix(b"\r"), f"the first line of {path!r}")


def given(password_file: str | None) -> str:
    """What a client was started with: the file's password, else the environment's; empty if there is neither.

    Raises ValueError as `read_file` does.
    """
    if password_file is not None:
        return read_file(password_file)
    variable = os.environ.get(VARIABLE, "")
    return _checked(os.fsencode(variable), VARIABLE) if variable else ""


def ask(server: str) -> str:
    """Have the person type it, unseen; empty if there is no terminal to ask at. Blocks; raises KeyboardInterrupt."""
    if not (sys.stdin and sys.stdin.isatty()):
        return ""
    try:
        return getpass.getpass(f"Password for {server}: ")
    except (EOFError, KeyboardInterrupt) as end:
        print(file=sys.stderr)  # what follows begins a line of its own
        if isinstance(end, KeyboardInterrupt):
            raise
        return ""


def _checked(line: bytes, what: str) -> str:
    try:
        password = line.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{what} is no UTF-8") from None
    if not 0 < len(line) <= MAX_LENGTH:
        raise ValueError(f"{what} must be a password of 1 to {MAX_LENGTH} bytes")
    return password
