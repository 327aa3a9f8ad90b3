from __future__ import annotations

import socket
from typing import Any

import pytest

from quicmini.sync.addresses import check_address, family_of


def test_host_and_port() -> None:
    assert check_address(("localhost", 0)) == ("localhost", 0)
    assert check_address(("::1", 65535), lowest_port=1) == ("::1", 65535)


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_port_that_there_is_not(port: int) -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        check_address(("localhost", port), lowest_port=1)


@pytest.mark.parametrize("address", ["localhost:4433", ("localhost",), ("localhost", "4433"), (b"localhost", 1), None])
def test_what_is_no_address(address: Any) -> None:
    with pytest.raises(TypeError, match="a string and a number"):
        check_address(address)


def test_the_family_of_an_address() -> None:
    assert family_of(("127.0.0.1", 4433)) == socket.AF_INET
    assert family_of(("::1", 4433, 0, 0)) == socket.AF_INET6
