"""What is kept in the state directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chat.state import SECRET_SIZE, kept_secret


def test_a_secret_stays_the_same_and_is_nobody_elses(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "state", "key")
    assert len(secret) == SECRET_SIZE
    assert kept_secret(tmp_path / "state", "key") == secret
    assert kept_secret(tmp_path / "state", "other") != secret
    assert (tmp_path / "state" / "key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_half_a_secret_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"half")
    secret = kept_secret(tmp_path, "key")
    assert len(secret) == SECRET_SIZE
    assert kept_secret(tmp_path, "key") == secret
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_disk_that_is_full_is_told_with_the_file_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.open
    monkeypatch.setattr(
        os, "open", lambda path, flags, mode: make(path, flags, mode) and make("/dev/full", os.O_WRONLY)
    )
    with pytest.raises(OSError, match="No space left on device") as caught:
        kept_secret(tmp_path, "key")
    assert caught.value.filename == str(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


def test_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        kept_secret(tmp_path / "file", "key")
