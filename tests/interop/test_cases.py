"""The table of test cases, and how it shrinks."""

from __future__ import annotations

from pathlib import Path

from quicmini.tls.certificates import load_credential
from tests.interop.cases import CASES, KB, MB
from tests.interop.certificates import write_certificates, write_long_chain


def test_all_cases_of_the_public_runner_are_there() -> None:
    assert len(CASES.keys() - {"clientmigration"}) == 21  # HTTP/3 is another protocol
    assert len({case.abbreviation for case in CASES.values()}) == len(CASES)


def test_in_full_size() -> None:
    assert CASES["transfer"].scaled_sizes(1.0) == (2 * MB, 3 * MB, 5 * MB)
    assert CASES["multiplexing"].scaled_sizes(1.0) == (32,) * 1999


def test_large_files_shrink_small_ones_do_not() -> None:
    assert CASES["transfer"].scaled_sizes(0.5) == (1 * MB, 3 * MB // 2, 5 * MB // 2)
    assert CASES["transfer"].scaled_sizes(0.0001) == (100 * KB,) * 3
    assert CASES["handshake"].scaled_sizes(0.0001) == (1 * KB,)


def test_only_where_the_number_matters_there_are_fewer() -> None:
    assert CASES["handshakeloss"].scaled_sizes(0.1) == (1 * KB,) * 5
    assert CASES["handshakeloss"].scaled_sizes(0.0001) == (1 * KB,) * 3
    assert len(CASES["zerortt"].scaled_sizes(0.0001)) == 40


def test_the_certificates_can_be_loaded(tmp_path: Path) -> None:
    sizes = []
    for write in (write_certificates, write_long_chain):
        directory = tmp_path / write.__name__
        write(directory)
        credential = load_credential(str(directory / "cert.pem"), str(directory / "priv.key"))
        sizes.append(len(credential.certificate_message))
    assert sizes[0] < 1000 < 7500 < sizes[1]
