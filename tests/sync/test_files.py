from __future__ import annotations

import io

import pytest

from tests.sync.helpers import PATIENCE, Pair, in_thread


def test_lines_of_text(pair: Pair) -> None:
    mine, theirs = pair.streams()
    with mine.makefile("w", encoding="utf-8") as file:
        file.write("grüße\n")
        print("second line", file=file)
    mine.close()
    with theirs.makefile("r", encoding="utf-8") as file:
        assert file.mode == "r"
        assert list(file) == ["grüße\n", "second line\n"]


def test_bytes_with_and_without_a_buffer(pair: Pair) -> None:
    mine, theirs = pair.streams()
    out = mine.makefile("wb")
    out.write(b"12345")
    out.flush()
    unbuffered = mine.makefile("wb", buffering=0)
    unbuffered.write(b"6789")
    mine.close()
    reader = theirs.makefile("rb")
    assert reader.read(3) == b"123"
    assert reader.read() == b"456789"
    assert reader.read() == b""


def test_both_directions(pair: Pair) -> None:
    mine, theirs = pair.streams()

    def answer() -> None:
        with theirs.makefile("rwb") as file:
            for line in file:
                file.write(line.upper())
                file.flush()

    answering = in_thread(answer)
    with mine.makefile("rw", newline="\n", buffering=1) as file:
        for word in ("one", "two"):
            file.write(f"{word}\n")
            assert file.readline() == f"{word.upper()}\n"
        # Closing the file leaves the stream open.
    mine.sendall(b"three\n", end_stream=True)
    assert mine.recv(100) == b"THREE\n"
    answering.result(PATIENCE)


def test_a_timeout_ends_reading_from_the_file(pair: Pair) -> None:
    mine, _ = pair.streams()
    mine.settimeout(0.01)
    file = mine.makefile("rb")
    with pytest.raises(TimeoutError):
        file.read(1)
    with pytest.raises(OSError, match="timed out"):
        file.read(1)


def test_modes(pair: Pair) -> None:
    mine, _ = pair.streams()
    for mode in ("x", "a", "b", "r+"):
        with pytest.raises(ValueError, match="invalid mode"):
            mine.makefile(mode)
    with pytest.raises(ValueError, match="binary"):
        mine.makefile("r", buffering=0)
    raw = mine.makefile("rb", buffering=0)
    assert raw.readable()
    assert not raw.writable()
    assert raw.name == mine.stream_id
    with pytest.raises(io.UnsupportedOperation):
        raw.write(b"x")
    with pytest.raises(io.UnsupportedOperation):
        mine.makefile("wb", buffering=0).read(1)
    raw.close()
    with pytest.raises(ValueError, match="closed"):
        raw.read(1)
