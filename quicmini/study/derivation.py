"""HKDF in single steps, each with all that goes in, so that it can be repeated by hand (RFC 5869, RFC 9846 §7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from quicmini.crypto.hkdf import hkdf_expand, hkdf_extract, hkdf_label
from quicmini.study.columns import ROOM, in_columns
from quicmini.study.fields import Field
from quicmini.study.terminal import Ink
from quicmini.study.texts import shown_text
from quicmini.study.tls_fields.reader import TlsReader, compose

__all__ = ["Input", "Step", "expand_label", "extract", "label_fields", "show_step"]

MAX_COLUMN = 24  # of names: longer ones have a line of their own

OPENSSL = "openssl kdf -keylen {length} -kdfopt digest:{digest} -kdfopt mode:{mode}_ONLY"


class Input(NamedTuple):
    """Something that goes into a step; `note` says what it is."""

    name: str
    value: bytes
    note: str = ""


class Step(NamedTuple):
    """One call of HKDF: what comes out, what is called, what goes in.

    label: what an HkdfLabel consists of; None where there is none. command: the lines of one for a shell, which
    prints the same in capitals.
    """

    name: str
    call: str
    section: str
    inputs: tuple[Input, ...]
    output: bytes
    command: tuple[str, ...]
    label: Field | None = None


def extract(name: str, salt: Input, material: Input, section: str, hash_name: str = "sha256") -> Step:
    """HKDF-Extract (RFC 5869 §2.2)."""
    output = hkdf_extract(hash_name, salt.value, material.value)
    start = OPENSSL.format(length=len(output), digest=hash_name.upper(), mode="EXTRACT")
    command = (start, f"-kdfopt hexsalt:{salt.value.hex()}", f"-kdfopt hexkey:{material.value.hex()} HKDF")
    return Step(name, f"HKDF-Extract({salt.name}, {material.name})", section, (salt, material), output, command)


def expand_label(
    name: str,
    secret: Input,
    label: str,
    length: int,
    section: str,
    context: bytes = b"",
    hash_name: str = "sha256",
) -> Step:
    """HKDF-Expand-Label (RFC 9846 §7.1): HKDF-Expand, whose info is an HkdfLabel."""
    info = hkdf_label(label, context, length)
    shown = f"{len(context)} bytes" if context else '""'
    call = f'HKDF-Expand-Label({secret.name}, "{label}", {shown}, {length})'
    start = OPENSSL.format(length=length, digest=hash_name.upper(), mode="EXPAND")
    command = (start, f"-kdfopt hexkey:{secret.value.hex()}", f"-kdfopt hexinfo:{info.hex()} HKDF")
    output = hkdf_expand(hash_name, secret.value, info, length)
    return Step(
        name, call, section, (secret, Input("info", info, "the HkdfLabel")), output, command, label_fields(info)
    )


def label_fields(info: bytes) -> Field:
    """An HkdfLabel, taken apart (RFC 9846 §7.1)."""
    return compose("HkdfLabel", info, 0, _label, "RFC 9846 §7.1")


def _label(reader: TlsReader) -> str:
    reader.number("length", 2, show=lambda length: f"{length} bytes are wanted")
    reader.opaque("label", 1, show=lambda label: f'"{shown_text(label)}"')
    label = reader.fields[-1].value
    reader.opaque("context", 1, show=lambda context: f"{len(context)} bytes" if context else "none")
    return label


def show_step(step: Step, ink: Ink, *, with_command: bool = True) -> Iterator[str]:
    """The lines of a step; they leave 5 columns of the width for an indentation."""
    call = f"{step.call}   {ink('faint', step.section)}"
    if len(f"{step.name} = {step.call}   {step.section}") <= ROOM:
        yield f"{ink('name', step.name)} = {call}"
    else:
        yield f"{ink('name', step.name)} ="
        yield f"    {call}"
    column = 3 + min(MAX_COLUMN, max(len(each.name) for each in step.inputs))
    for name, value, note in step.inputs:
        yield from in_columns(name, value, note, ink, column=column, left="  ")
    for part in step.label.children if step.label else ():
        yield from in_columns(part.name, part.raw, part.value, ink, column=column, left="    ")
    yield from in_columns("=", step.output, "", ink, column=column, left="  ", meaning="value")
    if with_command:
        yield f"  $ {step.command[0]} \\"
        yield from (f"      {line} \\" for line in step.command[1:-1])
        yield f"      {step.command[-1]}"
