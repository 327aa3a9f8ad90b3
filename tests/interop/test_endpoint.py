"""The endpoints' side of the convention that no green cell shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop import aioquic_endpoint, endpoint
from tests.interop.convention import UNSUPPORTED


@pytest.mark.parametrize("main", [endpoint.main, aioquic_endpoint.main])
@pytest.mark.parametrize("role", ["client", "server"])
def test_an_unknown_case_has_an_exit_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[], int], role: str
) -> None:
    monkeypatch.setenv("ROLE", role)
    monkeypatch.setenv("TESTCASE", "http3")
    assert main() == UNSUPPORTED


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "ROLE must be client or server"),
        ({"ROLE": "client", "TESTCASE": "handshake", "REQUESTS": "example.net"}, "not a URL to fetch"),
        ({"ROLE": "client", "TESTCASE": "handshake"}, "REQUESTS must name a file"),
        ({"ROLE": "server", "TESTCASE": "handshake", "CERTS": "/nowhere"}, "/nowhere/cert.pem"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], sentence: str
) -> None:
    for name in ("ROLE", "TESTCASE", "REQUESTS", "CERTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert endpoint.main() == 1
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert complaint.count("\n") == 1
