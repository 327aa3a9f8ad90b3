"""The way from a connection ID to the Initial keys: beside the RFCs' values, and repeated with nothing but HMAC."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest

import vectors
from quicmini.__main__ import main
from quicmini.study.derivation import Step
from quicmini.study.keys import initial_keys, parse_connection_id
from quicmini.study.terminal import WIDTH
from quicmini.wire.packet import VERSION_1, VERSION_2

DCID = "8394c8f03e515708"
VECTORS = {1: "rfc9001-a1-keys", 2: "rfc9369-a1-keys"}


def steps(version: int, dcid: str = DCID) -> list[tuple[str, Step]]:
    parts = initial_keys(bytes.fromhex(dcid), {1: VERSION_1, 2: VERSION_2}[version])
    return [(part.sender, step) for part in parts for step in part.steps]


@pytest.mark.parametrize("version", VECTORS)
def test_the_values_of_the_rfc(version: int) -> None:
    values = vectors.load(VECTORS[version]).values
    labels = values.group("hkdf_labels")
    seen = set()
    for sender, step in steps(version):
        if not sender:
            assert step.output == values.octets("initial_secret")
            continue
        name = "secret" if step.name.endswith("_secret") else step.name
        assert step.output == values.group(sender).octets(name)
        label = step.call.split('"')[1]
        assert step.inputs[1].value == labels.octets(label)
        seen.add(label)
    assert seen == set(labels)


@pytest.mark.parametrize("version", VECTORS)
@pytest.mark.parametrize("dcid", [DCID, "00" * 20, "ff"])
def test_the_commands_say_what_gives_the_output(version: int, dcid: str) -> None:
    """Each command's own arguments, put into HMAC as RFC 5869 §2 says: what OpenSSL does with them."""
    for _, step in steps(version, dcid):
        command = " ".join(step.command)
        options = dict(re.findall(r"-kdfopt (\w+):(\S+)", command))
        key = bytes.fromhex(options["hexkey"])
        assert options["digest"] == "SHA256"
        assert command.endswith(" HKDF")
        if options["mode"] == "EXTRACT_ONLY":
            output = hmac.digest(bytes.fromhex(options["hexsalt"]), key, hashlib.sha256)
        else:
            assert options["mode"] == "EXPAND_ONLY"
            output = hmac.digest(key, bytes.fromhex(options["hexinfo"]) + b"\x01", hashlib.sha256)
        assert output[: int(command.split()[3])] == step.output


def test_each_step_goes_on_from_an_earlier_one() -> None:
    known = {"salt": steps(1)[0][1].inputs[0].value, "connection_id": bytes.fromhex(DCID)}
    for _, step in steps(1):
        assert all(known[name] == value for name, value, _ in step.inputs if name != "info")
        known[step.name] = step.output


def test_a_label_is_taken_apart() -> None:
    label = steps(1)[1][1].label
    assert label is not None
    assert [(part.name, part.raw.hex(), part.value) for part in label.children] == [
        ("length", "0020", "32 bytes are wanted"),
        ("label", "0f746c73313320636c69656e7420696e", '"tls13 client in"'),
        ("context", "00", "none"),
    ]


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_command(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", DCID, "--version", version]) == 0
    lines = capsys.readouterr().out.splitlines()
    values = vectors.load(VECTORS[int(version)]).values
    start = lines.index("All together")
    expected = {
        "initial_secret": values.octets("initial_secret").hex(),
        **{
            f"{side}{'_initial_' if name == 'secret' else ' '}{name}": values.group(side).octets(name).hex()
            for side in ("client", "server")
            for name in ("secret", "key", "iv", "hp")
        },
    }
    assert {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in lines[start + 1 :]} == expected
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("text", [DCID, "0x" + DCID, "83:94:c8:f0:3e:51:57:08", "8394 C8F0 3E51 5708"])
def test_connection_ids_as_people_copy_them(text: str) -> None:
    assert parse_connection_id(text) == bytes.fromhex(DCID)


@pytest.mark.parametrize(
    ("text", "says"), [("xyz", "no connection ID"), ("123", "no"), ("", "0 bytes"), ("00" * 21, "21")]
)
def test_what_is_no_connection_id(text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", text]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert says in output.err
    assert output.err.count("\n") == 1
