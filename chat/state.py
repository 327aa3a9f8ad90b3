"""The state directory: what a program made itself and needs again."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["SECRET_SIZE", "kept_secret", "named", "new_secret", "private_directory", "write_private"]

SECRET_SIZE = 32  # bytes


def private_directory(path: Path) -> Path:
    """The directory, made if there is none: for its owner alone. Raises OSError. Does file work, so it may block."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def kept_secret(directory: Path, name: str) -> bytes:
    """SECRET_SIZE random bytes that stay the same: made once, in a file that its owner alone can read.

    Raises OSError if the directory cannot be used. Does file work, so it may block.
    """
    path = private_directory(directory) / name
    with suppress(FileNotFoundError):
        if len(secret := path.read_bytes()) == SECRET_SIZE:
            return secret
    secret = new_secret()
    write_private(path, secret)
    return secret


def new_secret() -> bytes:
    """SECRET_SIZE random bytes."""
    return secrets.token_bytes(SECRET_SIZE)


def write_private(path: Path, data: bytes) -> None:
    """Have a file hold `data`, all of it or what it held before, for its owner alone. Raises OSError. May block."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with named(path), open(descriptor, "wb") as file:
            file.write(data)
        part.replace(path)
    except BaseException:
        part.unlink()
        raise


@contextmanager
def named(path: Path) -> Iterator[None]:
    """`path` is written to: an OSError names it, which the system does not when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
