"""Datagrams taken apart: packets, frames, TLS messages, each field with its place, bytes, meaning and RFC section.

sources.py        what a person gives: hexadecimal, captures -> datagrams
dissector.py      datagram -> packets (packets.py), with all that earlier datagrams have taught
header_fields.py  headers, with keys or without      frame_fields.py  decrypted payloads
connections.py    whose packet is it?                opening.py       which keys open it, and if none does, why
learning.py       what packets teach about others    segments.py      several datagrams captured as one
crypto_streams.py CRYPTO frames -> TLS messages      output.py, report.py  for people and for programs
"""
