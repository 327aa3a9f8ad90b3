"""Read a capture file of either format."""

from __future__ import annotations

from collections.abc import Iterable

from quicmini.study.captures.capture import Capture, CapturedDatagram, CapturedFrame, CaptureError, Remarks
from quicmini.study.captures.packets import NotUdp, udp_of
from quicmini.study.captures.pcap import MAGIC_NUMBERS, read_pcap
from quicmini.study.captures.pcapng import SECTION_HEADER, PcapngFile

__all__ = ["looks_like_a_capture", "read_capture"]

# Files that people have beside captures, or have captures in.
_OTHERS = {
    b"\x1f\x8b": "it is compressed with gzip: gunzip it first",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd: unzstd it first",
    b"\xfd7zXZ": "it is compressed with xz: unxz it first",
    b"\x34\xcd\xb2\xa1": "it is a modified pcap of an old Linux: editcap makes a pcapng of it",
    b"\xa1\xb2\xcd\x34": "it is a modified pcap of an old Linux: editcap makes a pcapng of it",
}


def looks_like_a_capture(data: bytes) -> bool:
    """Whether the file begins as a pcap or a pcapng does."""
    return data[:4] in MAGIC_NUMBERS or data[:4] == SECTION_HEADER


def read_capture(data: bytes) -> Capture:
    """The UDP datagrams of a pcap or pcapng file, in the order of the file.

    A file that breaks off, as the capture of a program that was killed does, is read as far as it goes. Raises
    CaptureError if it is no such file, or of a version that is not known.
    """
    remarks = Remarks()
    secrets: list[str] = []
    frames: Iterable[CapturedFrame | None]
    if data[:4] in MAGIC_NUMBERS:
        frames = read_pcap(data, remarks)
    elif data[:4] == SECTION_HEADER:
        frames = file = PcapngFile(data, remarks)
        secrets = file.secrets
    else:
        raise CaptureError(_not_a_capture(data))
    datagrams = list(_datagrams(frames, remarks))
    text = "".join(part if part.endswith("\n") else part + "\n" for part in secrets)
    return Capture(datagrams, text, remarks.sentences())


def _datagrams(frames: Iterable[CapturedFrame | None], remarks: Remarks) -> Iterable[CapturedDatagram]:
    for number, frame in enumerate(frames, 1):
        if frame is None:
            continue
        try:
            udp = udp_of(frame.link_type, frame.data)
        except NotUdp as reason:
            remarks.add(number, str(reason))
        else:
            yield CapturedDatagram(number, frame.time, *udp)


def _not_a_capture(data: bytes) -> str:
    if not data:
        return "the file is empty: a pcap or pcapng file was expected"
    why = next((why for beginning, why in _OTHERS.items() if data.startswith(beginning)), None)
    return f"not a pcap or pcapng file: {why or f'it begins with the bytes {data[:4].hex()}'}"
