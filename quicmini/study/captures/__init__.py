"""Packet captures as other tools write them, pcap and pcapng: the UDP datagrams in them, and the secrets beside."""

from quicmini.study.captures.capture import Capture, CapturedDatagram, CaptureError
from quicmini.study.captures.reader import read_capture

__all__ = ["Capture", "CaptureError", "CapturedDatagram", "read_capture"]
