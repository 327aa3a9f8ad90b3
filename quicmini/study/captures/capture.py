"""What is in a packet capture, whatever its format."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Address", "Capture", "CaptureError", "CapturedDatagram", "CapturedFrame", "Remarks"]

Address = tuple[str, int]  # IP address and port


class CaptureError(ValueError):
    """What was read is no packet capture, or one of a kind that is not read; the message says which."""


class CapturedDatagram(NamedTuple):
    """A UDP datagram.

    number: of its frame in the file, from 1, as Wireshark counts. time: seconds since 1970, 0 where the file does not
    tell. truncated: the capture has only the datagram's beginning. ecn: the ECN field of the IP header (RFC 3168 §5).
    """

    number: int
    time: float
    source: Address
    destination: Address
    payload: bytes
    truncated: bool = False
    ecn: int = 0


class Capture(NamedTuple):
    """A whole file.

    secrets: the key log text that the file itself holds, all of it. remarks: a sentence for each kind of frame that was
    passed over, and for damage; none if every frame is among `datagrams`.
    """

    datagrams: list[CapturedDatagram]
    secrets: str
    remarks: list[str]


class CapturedFrame(NamedTuple):
    """What was seen on the wire at once. link_type: how `data` begins, a LINKTYPE_ number of the tcpdump group."""

    time: float
    link_type: int
    data: bytes


class Remarks:
    """Collects what is to be said of frames, once for each kind."""

    def __init__(self) -> None:
        self._seen: dict[str, list[int]] = {}  # what is said -> how often, the first frame
        self._final: list[str] = []

    def add(self, number: int, sentence: str) -> None:
        """Of a frame: passed over for this reason."""
        seen = self._seen.setdefault(sentence, [0, number])
        seen[0] += 1

    def end(self, sentence: str) -> None:
        """Of the file."""
        self._final.append(sentence)

    def sentences(self) -> list[str]:
        """All of it, for people."""
        frames = []
        for sentence, (count, first) in self._seen.items():
            which = f"frame {first}" if count == 1 else f"{count} frames (the first is frame {first})"
            frames.append(f"{which} passed over: {sentence}")
        return frames + self._final
