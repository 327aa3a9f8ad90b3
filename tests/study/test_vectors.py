"""Each RFC vector passes, and no value of any vector can be wrong without its check noticing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

import vectors
from quicmini.__main__ import main
from quicmini.study.derivation import Step
from quicmini.study.terminal import WIDTH
from quicmini.study.vector_checks import CHECKS
from quicmini.study.vectors import check

ROOT = Path(__file__).parents[2]
NAMES = vectors.names()


def changed(value: str | int, name: str) -> str | int:
    """Another value of the same kind: the highest bit of the first byte flipped, one more, one letter more."""
    if isinstance(value, int):
        return value + 1
    if name.endswith("_text") or name == "sender":
        return value + "x"
    return f"{int(value[:2], 16) ^ 0x80:02x}{value[2:]}" if value else "00"


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name)


def with_change(values: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    name, *rest = path
    value = values[name]
    return {**values, name: with_change(value, tuple(rest)) if rest else changed(value, name)}


def file_of(name: str) -> Path:
    return ROOT / "vectors" / f"{name}.json"


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str) -> None:
    result = check(name)
    assert result.problems == []
    assert result.source.startswith("RFC ")


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_a_vector_is_checked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = vectors.load(name)
    original = json.loads(file_of(name).read_text(encoding="utf-8"))["values"]
    for path in leaves(original):
        damaged = vector._replace(values=vectors.Values(with_change(original, path)))
        monkeypatch.setattr(vectors, "load", lambda _, damaged=damaged: damaged)
        assert not check(name).passed, f"nobody noticed a change of {'.'.join(path)}"


def test_every_section_that_has_vectors_is_there() -> None:
    sections = {(vector.rfc, vector.section) for vector in map(vectors.load, NAMES)}
    assert sections >= {("RFC 9000", f"Appendix A.{n}") for n in (1, 2, 3)}
    assert sections >= {(rfc, f"Appendix A.{n}") for rfc in ("RFC 9001", "RFC 9369") for n in (1, 2, 3, 4, 5)}
    assert sections >= {("RFC 8448", "§3"), ("RFC 8448", "§4")}


def test_every_check_has_a_vector() -> None:
    assert {vectors.load(name).kind for name in NAMES} == set(CHECKS)


def test_the_readme_explains_every_kind_and_no_other() -> None:
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "vectors" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"`(.+?)`", " ".join(rows))) - {"kind"} == set(CHECKS)


def test_the_readme_says_which_strings_are_not_hexadecimal() -> None:
    for name in NAMES:
        values = json.loads(file_of(name).read_text(encoding="utf-8"))["values"]
        for path in leaves(values):
            value = reduce(getitem, path, values)
            if isinstance(value, str) and path[-1] != "sender" and not path[-1].endswith("_text"):
                assert bytes.fromhex(value).hex() == value, f"{name}: {path}"


def test_the_command_reports_every_vector_and_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors"]) == 0
    *lines, totals = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["PASS", name] for name in NAMES]
    assert "PASS rfc9001-a4-retry — RFC 9001 Appendix A.4" in lines
    assert totals == f"{len(NAMES)} passed, 0 failed"


def test_the_command_checks_only_what_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "rfc9001-a4-retry", "rfc9001-a1-keys"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "PASS rfc9001-a4-retry — RFC 9001 Appendix A.4",
        "PASS rfc9001-a1-keys — RFC 9001 Appendix A.1",
        "2 passed, 0 failed",
    ]


def test_an_unknown_name_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "rfc9001-a1-keys", "rfc9999"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("No vector is named rfc9999;")
    assert output.err.count("\n") == 1
    assert all(name in output.err for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_verbose_shows_each_value(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "--verbose", name]) == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= WIDTH
    told = check(name).told
    shown = "".join(output.split())
    for each in told:
        values = [each.output, *(value for _, value, _ in each.inputs)] if isinstance(each, Step) else [each[1]]
        for value in values:
            text = value[:32].hex() if isinstance(value, bytes) else "".join(str(value).split())
            assert text in shown


def test_verbose_shows_the_steps_of_a_packet(capsys: pytest.CaptureFixture[str]) -> None:
    """RFC 9001 §A.2: what stands there between the payload and the packet."""
    assert main(["vectors", "--verbose", "rfc9001-a2-client-initial"]) == 0
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["label", "0f746c73313320636c69656e7420696e", '"tls13', "client", 'in"'] in words
    assert ["ok", "sample", "d1b1c98dd7689fb8ec11d242b123dc9b"] in words
    assert next(line for line in words if "mask" in line)[:3] == ["ok", "mask", "437b9aec36"]
    assert ["first", "byte", "c3", "before"] in words
    assert ["ok", "protected_first_byte", "c0"] in words
    assert ["nonce", "fa044b2f42a3fd3b46fb255e"] in [line[:2] for line in words]


def test_verbose_shows_where_it_goes_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    vector = vectors.load("rfc9001-a1-keys")
    values = json.loads(file_of(vector.name).read_text(encoding="utf-8"))["values"]
    values["hkdf_labels"]["quic hp"] = "00100d746c733133207175696320687100"
    monkeypatch.setattr(vectors, "load", lambda _: vector._replace(values=vectors.Values(values)))
    assert main(["vectors", "--verbose", "rfc9001-a1-keys"]) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line.split()[1:3] for line in lines if line.startswith("BAD")] == [["quic", "hp"]]
    at = lines.index("quic hp differs")
    assert lines[at + 3 : at + 6] == [
        "first differing byte: offset 15, expected 71, actual 70",
        "it lies in HkdfLabel > label, byte 13 of 13 (RFC 9846 §7.1)",
        "which should say '\"tls13 quic hq\"', and is label '\"tls13 quic hp\"'",
    ]
    assert lines[-1] == "0 passed, 1 failed"


def run_with_damaged_file(tmp_path: Path, name: str, old: str, new: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, where the package `vectors` is a copy with one file changed."""
    copy = copytree(ROOT / "vectors", tmp_path / "vectors") / f"{name}.json"
    text = copy.read_text(encoding="utf-8")
    assert old in text
    copy.write_text(text.replace(old, new), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT))), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "quicmini", "vectors"]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


def test_a_corrupted_vector_fails_and_shows_the_difference(tmp_path: Path) -> None:
    run = run_with_damaged_file(tmp_path, "rfc9001-a1-keys", "fa044b2f42a3fd3b46fb255c", "fa044b2e42a3fd3b46fb255c")
    assert run.returncode == 1, run.stderr
    lines = run.stdout.splitlines()
    assert lines[-1] == f"{len(NAMES) - 1} passed, 1 failed"
    at = lines.index("FAIL rfc9001-a1-keys — RFC 9001 Appendix A.1")
    assert [line.strip() for line in lines[at + 1 : at + 5]] == [
        "client iv differs",
        "expected fa044b2e42a3fd3b46fb255c",
        "actual   fa044b2f42a3fd3b46fb255c",
        "first differing byte: offset 3, expected 2e, actual 2f",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "["),
        ('"kind": "retry"', '"kind": "no such kind"'),
        ('"packet": "ff', '"packet": "f'),
        ('"token": "746f6b656e",', ""),
    ],
    ids=["no JSON", "unknown kind", "half a byte", "value missing"],
)
def test_a_damaged_file_is_a_failure_and_no_traceback(tmp_path: Path, old: str, new: str) -> None:
    run = run_with_damaged_file(tmp_path, "rfc9001-a4-retry", old, new)
    assert run.returncode == 1
    assert run.stderr == ""
    assert run.stdout.splitlines()[-1] == f"{len(NAMES) - 1} passed, 1 failed"
    assert "FAIL rfc9001-a4-retry" in run.stdout
