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
