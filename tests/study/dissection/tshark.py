"""What tshark makes of a capture, cut down to the fields that are compared, as JSON that can be kept.

`python -m tests.study.dissection.tshark FILE.pcapng > FILE.json` made the files in data/, with TShark 4.0.17.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

__all__ = ["Fields", "TsharkPacket", "dump", "load", "run"]

Fields = list[str]  # "name=value", each as tshark has it

_HEADER_FIELDS = frozenset(
    f"quic.{name}"
    for name in (
        "packet_length", "header_form", "long.packet_type", "long.packet_type_v2", "spin_bit", "key_phase",
        "packet_number_length", "version", "supported_version", "dcil", "dcid", "scil", "scid", "token_length", "token",
        "length", "packet_number", "retry_token", "retry_integrity_tag", "stateless_reset_token", "decryption_failed",
    )
)  # fmt: skip

# Beside quic.frame_type. What tshark works out itself (ranges, initiators, reassembly) is no field of the frame.
_FRAME_PREFIXES = tuple(
    f"quic.{name}."
    for name in (
        "ack", "rsts", "ss", "crypto", "nt", "stream", "md", "msd", "ms", "sb", "sdb", "sib", "nci", "rci",
        "path_challenge", "path_response", "cc", "dg",
    )
)  # fmt: skip
_NOT_COMPARED = {
    "quic.crypto.crypto_data", "quic.stream.len", "quic.stream.off", "quic.stream.initiator", "quic.stream.direction",
    "quic.crypto.fragments", "quic.crypto.reassembled_in", "quic.crypto.fragment", "quic.crypto.fragment.count",
    "quic.cc.error_code.tls_alert", "quic.cc.reason_phrase",
}  # fmt: skip
_MESSAGE_FIELDS = {
    "tls.handshake.type", "tls.handshake.length", "tls.handshake.extension.type", "tls.quic.parameter.type",
}  # fmt: skip


class TsharkPacket(NamedTuple):
    """frames: the fields of each frame. messages: those of each TLS message that is complete with this packet."""

    header: Fields
    frames: list[Fields]
    messages: list[Fields]


def run(capture: Path) -> dict[int, list[TsharkPacket]]:
    """Ask tshark: frame number -> packets. The secrets must be in the capture. Raises OSError without tshark."""
    command = ["tshark", "-r", str(capture), "-T", "pdml"]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    found = {}
    for frame in ElementTree.fromstring(output).iter("packet"):
        number = int(next(field.get("show", "0") for field in frame.iter("field") if field.get("name") == "num"))
        packets = [_packet(proto) for proto in frame if proto.get("name") == "quic"]
        found[number] = [packet for packet in packets if packet.header]
    return found


def _packet(proto: ElementTree.Element) -> TsharkPacket:
    frames = [field for field in proto.iter("field") if field.get("name") == "quic.frame"]
    inside = {id(field) for frame in frames for field in frame.iter("field")}
    messages = (
        [f"{name}={value}" for name, value in _shown(message) if name in _MESSAGE_FIELDS]
        for message in proto.iter("field")
        if message.get("name") == "tls.handshake"
    )
    return TsharkPacket(
        [f"{name}={value}" for name, value in _shown(proto, inside) if name in _HEADER_FIELDS],
        [[f"{name}={value}" for name, value in _shown(frame) if _is_frame_field(name)] for frame in frames],
        [fields for fields in messages if fields],  # a part of a message has none
    )


def _shown(element: ElementTree.Element, but: Collection[int] = ()) -> Iterator[tuple[str, str]]:
    for field in element.iter("field"):
        if id(field) not in but:
            yield field.get("name", ""), field.get("show", "")


def _is_frame_field(name: str) -> bool:
    kept = name in ("quic.frame_type", "quic.padding_length") or name.startswith(_FRAME_PREFIXES)
    return kept and name not in _NOT_COMPARED


def dump(found: dict[int, list[TsharkPacket]]) -> str:
    """JSON, a packet a line."""
    frames = []
    for number, packets in found.items():
        lines = ",\n".join(json.dumps(packet._asdict()) for packet in packets)
        frames.append(f'"{number}": [\n{lines}\n]' if packets else f'"{number}": []')
    return "{\n" + ",\n".join(frames) + "\n}\n"


def load(text: str) -> dict[int, list[TsharkPacket]]:
    """What `dump` gave."""
    return {int(number): [TsharkPacket(**packet) for packet in packets] for number, packets in json.loads(text).items()}


if __name__ == "__main__":
    print(dump(run(Path(sys.argv[1]))), end="")
