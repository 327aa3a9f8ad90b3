"""Our dissection of a capture beside tshark's: `python -m tests.study.dissection.compare FILE.pcapng` asks tshark now.

Each of our fields is given the name and the form that tshark has for it; then both must have the same ones, packet for
packet, frame for frame, TLS message for TLS message.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

from quicmini.observe.keylog import parse_key_log
from quicmini.study.captures import read_capture
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.dissection.packets import Packet
from quicmini.study.fields import Field
from quicmini.wire.packet import VERSION_2
from quicmini.wire.varint import decode_varint
from tests.study.dissection.tshark import Fields, TsharkPacket, run

__all__ = ["Dissected", "compare", "dissect"]

Dissected = dict[int, list[Packet]]  # by frame number

Show = Callable[[bytes], str]


def _varint(raw: bytes) -> str:
    return str(decode_varint(raw, 0)[0])


def _number(raw: bytes) -> str:
    return str(int.from_bytes(raw))


def _version(raw: bytes) -> str:
    return f"0x{raw.hex()}"


def _octets(raw: bytes) -> str:
    return raw.hex(":")


def _bits(mask: int) -> Show:
    shift = (mask & -mask).bit_length() - 1
    return lambda raw: str((raw[0] & mask) >> shift)


# Our field -> tshark's, and how tshark shows it. What is empty has no line with tshark.
_HEADER: dict[str, tuple[str, Show]] = {
    "Header Form": ("quic.header_form", _bits(0x80)),
    "Spin Bit": ("quic.spin_bit", _bits(0x20)),
    "Version": ("quic.version", _version),
    "Supported Version": ("quic.supported_version", _version),
    "Destination Connection ID Length": ("quic.dcil", _number),
    "Destination Connection ID": ("quic.dcid", _octets),
    "Source Connection ID Length": ("quic.scil", _number),
    "Source Connection ID": ("quic.scid", _octets),
    "Token Length": ("quic.token_length", _varint),
    "Token": ("quic.token", _octets),
    "Length": ("quic.length", _varint),
    "Retry Token": ("quic.retry_token", _octets),
    "Retry Integrity Tag": ("quic.retry_integrity_tag", _octets),
    "Stateless Reset Token": ("quic.stateless_reset_token", _octets),
}
# Those that are protected: of packets that were opened.
_OPENED: dict[str, tuple[str, Show]] = {
    "Key Phase": ("quic.key_phase", _bits(0x04)),
    "Packet Number Length": ("quic.packet_number_length", _bits(0x03)),
}

_FRAMES: dict[str, dict[str, tuple[str, Show]]] = {
    "ACK": {
        "Largest Acknowledged": ("ack.largest_acknowledged", _varint),
        "ACK Delay": ("ack.ack_delay", _varint),
        "ACK Range Count": ("ack.ack_range_count", _varint),
        "First ACK Range": ("ack.first_ack_range", _varint),
        "Gap": ("ack.gap", _varint),
        "ACK Range Length": ("ack.ack_range", _varint),
        "ECT0 Count": ("ack.ect0_count", _varint),
        "ECT1 Count": ("ack.ect1_count", _varint),
        "ECN-CE Count": ("ack.ecn_ce_count", _varint),
    },
    "RESET_STREAM": {
        "Stream ID": ("rsts.stream_id", _varint),
        "Application Protocol Error Code": ("rsts.application_error_code", _varint),
        "Final Size": ("rsts.final_size", _varint),
    },
    "STOP_SENDING": {
        "Stream ID": ("ss.stream_id", _varint),
        "Application Protocol Error Code": ("ss.application_error_code", _varint),
    },
    "CRYPTO": {"Offset": ("crypto.offset", _varint), "Length": ("crypto.length", _varint)},
    "NEW_TOKEN": {"Token Length": ("nt.length", _varint), "Token": ("nt.token", _octets)},
    "STREAM": {
        "Stream ID": ("stream.stream_id", _varint),
        "Offset": ("stream.offset", _varint),
        "Length": ("stream.length", _varint),
    },
    "MAX_DATA": {"Maximum Data": ("md.maximum_data", _varint)},
    "MAX_STREAM_DATA": {
        "Stream ID": ("msd.stream_id", _varint),
        "Maximum Stream Data": ("msd.maximum_stream_data", _varint),
    },
    "MAX_STREAMS": {"Maximum Streams": ("ms.max_streams", _varint)},
    "DATA_BLOCKED": {"Maximum Data": ("sb.stream_data_limit", _varint)},
    "STREAM_DATA_BLOCKED": {
        "Stream ID": ("sdb.stream_id", _varint),
        "Maximum Stream Data": ("sb.stream_data_limit", _varint),
    },
    "STREAMS_BLOCKED": {"Maximum Streams": ("sib.stream_limit", _varint)},
    "NEW_CONNECTION_ID": {
        "Sequence Number": ("nci.sequence", _varint),
        "Retire Prior To": ("nci.retire_prior_to", _varint),
        "Length": ("nci.connection_id.length", _number),
        "Connection ID": ("nci.connection_id", _octets),
        "Stateless Reset Token": ("nci.stateless_reset_token", _octets),
    },
    "RETIRE_CONNECTION_ID": {"Sequence Number": ("rci.sequence", _varint)},
    "PATH_CHALLENGE": {"Data": ("path_challenge.data", _octets)},
    "PATH_RESPONSE": {"Data": ("path_response.data", _octets)},
    "CONNECTION_CLOSE": {
        "Error Code": ("cc.error_code", _varint),
        "Frame Type": ("cc.frame_type", _varint),
        "Reason Phrase Length": ("cc.reason_phrase.length", _varint),
    },
    "DATAGRAM": {"Length": ("dg.length", _varint)},
}

_MESSAGES: dict[str, tuple[str, Show]] = {
    "msg_type": ("tls.handshake.type", _number),
    "extension_type": ("tls.handshake.extension.type", _number),
    "identifier": ("tls.quic.parameter.type", _varint),
}


def dissect(capture: Path, *, with_keys: bool = True) -> Dissected:
    """Our own answer, with the secrets that are in the capture."""
    content = read_capture(capture.read_bytes())
    dissector = Dissector(parse_key_log(content.secrets) if with_keys else None)
    return {
        each.number: list(dissector.datagram(each.payload, source=each.source, destination=each.destination).packets)
        for each in content.datagrams
    }


def _header(packet: Packet) -> Fields:
    fields = [f"quic.packet_length={len(packet.raw)}"]
    table = _HEADER | (_OPENED if packet.payload else {})
    for field in (each for top in packet.header for each in top.walk()):
        if field.name in table and field.raw:
            name, show = table[field.name]
            fields.append(f"{name}={show(field.raw)}")
        elif field.name == "Long Packet Type":
            kind = "quic.long.packet_type_v2" if packet.version == VERSION_2 else "quic.long.packet_type"
            fields.append(f"{kind}={_bits(0x30)(field.raw)}")
    if packet.packet_number is not None:
        fields.append(f"quic.packet_number={packet.packet_number}")
    return fields


def _frame(frame: Field) -> Fields:
    table = _FRAMES.get(frame.name, {})
    fields = []
    for field in frame.walk():
        if field.name == "Type":
            fields.append(f"quic.frame_type={_varint(field.raw)}")
        elif field.name in table and field.raw:
            name, show = table[field.name]
            fields.append(f"quic.{name}={show(field.raw)}")
    if frame.name == "PADDING":
        fields.append(f"quic.padding_length={len(frame.raw)}")
    if frame.name == "STREAM":
        fields.append(f"quic.stream.fin={frame.raw[0] & 1}")
    if frame.name == "CONNECTION_CLOSE" and frame.raw[0] == 0x1D:
        fields = [field.replace("cc.error_code=", "cc.error_code.app=") for field in fields]
    return fields


def _message(message: Field) -> Fields:
    fields = [f"tls.handshake.length={int.from_bytes(message.raw[1:4])}"]
    for field in message.walk():
        if field.name in _MESSAGES:
            name, show = _MESSAGES[field.name]
            fields.append(f"{name}={show(field.raw)}")
    return fields


def as_tshark(packet: Packet) -> TsharkPacket:
    """Our packet, in tshark's words."""
    payload = packet.payload
    if payload is None:
        return TsharkPacket(_header(packet), [], [])
    return TsharkPacket(
        _header(packet),
        [_frame(frame) for frame in payload.frames],
        [_message(message) for message in payload.messages],
    )


def compare(ours: Dissected, theirs: dict[int, list[TsharkPacket]]) -> Iterator[str]:
    """A sentence for each difference."""
    for number in sorted(ours.keys() | theirs.keys()):
        own = [packet for packet in ours.get(number, []) if packet.name != "padding"]
        for index, (packet, their) in enumerate(zip_longest(own, theirs.get(number, [])), 1):
            where = f"frame {number}, packet {index}"
            if packet is None or their is None:
                yield f"{where}: only {'tshark' if packet is None else 'we'} saw it"
                continue
            if packet.token and not their.messages:
                # What a client sends again after a Retry is a retransmission for tshark, which it does not take apart.
                their = their._replace(messages=as_tshark(packet).messages)
            for difference in _differences(as_tshark(packet), their):
                yield f"{where} ({packet.name} {packet.packet_number}): {difference}"


def _differences(own: TsharkPacket, their: TsharkPacket) -> Iterator[str]:
    yield from _of_fields("header", own.header, their.header)
    for what, mine, theirs in (("frame", own.frames, their.frames), ("TLS message", own.messages, their.messages)):
        for index, (one, other) in enumerate(zip_longest(mine, theirs), 1):
            yield from _of_fields(f"{what} {index}", one or [], other or [])


def _of_fields(what: str, own: Fields, theirs: Fields) -> Iterator[str]:
    if sorted(own) != sorted(theirs):
        only_own = [field for field in own if field not in theirs]
        only_theirs = [field for field in theirs if field not in own]
        yield f"{what}: we {only_own or own}, tshark {only_theirs or theirs}"


def main(name: str) -> int:
    """Compare with the tshark that is installed; print the differences and the totals. Exit status: 0 if none."""
    ours, theirs = dissect(Path(name)), run(Path(name))
    differences = list(compare(ours, theirs))
    print(*differences, sep="\n")
    packets = [packet for each in ours.values() for packet in each if packet.payload]
    frames = sum(len(packet.payload.frames) for packet in packets if packet.payload)
    print(f"{len(ours)} datagrams, {len(packets)} packets opened, {frames} frames: {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
