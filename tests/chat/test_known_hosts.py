"""The file of known servers: who is new, who is known, what a person may have done to the file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chat.known_hosts import KnownHost, KnownHosts

KEY, OTHER_KEY = "SHA256:" + "A" * 43, "SHA256:" + "b/+1" * 10 + "ccc"


@pytest.fixture
def known_hosts(tmp_path: Path) -> KnownHosts:
    return KnownHosts(tmp_path / "new" / "state")


def test_nobody_is_known_at_first(known_hosts: KnownHosts) -> None:
    assert known_hosts.find("localhost:4242") is None
    assert not known_hosts.path.parent.exists()


def test_who_was_met_is_known(known_hosts: KnownHosts) -> None:
    assert known_hosts.remember("localhost:4242", KEY) == KnownHost(KEY, 1)
    assert known_hosts.remember("[::1]:4242", OTHER_KEY) == KnownHost(OTHER_KEY, 2)
    again = KnownHosts(known_hosts.path.parent)
    assert again.find("localhost:4242") == KnownHost(KEY, 1)
    assert again.find("[::1]:4242") == KnownHost(OTHER_KEY, 2)
    assert again.find("localhost:4243") is None
    assert again.find("LOCALHOST:4242") == KnownHost(KEY, 1)
    assert known_hosts.path.read_text() == f"localhost:4242 {KEY}\n[::1]:4242 {OTHER_KEY}\n"


def test_the_first_key_is_kept(known_hosts: KnownHosts) -> None:
    known_hosts.remember("localhost:4242", KEY)
    assert known_hosts.remember("localhost:4242", OTHER_KEY) == KnownHost(KEY, 1)
    assert len(known_hosts.path.read_text().splitlines()) == 1


def test_only_the_owner_reads_it(known_hosts: KnownHosts) -> None:
    known_hosts.remember("localhost:4242", KEY)
    assert known_hosts.path.stat().st_mode & 0o777 == 0o600
    assert known_hosts.path.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_person_may_write(known_hosts: KnownHosts) -> None:
    known_hosts.path.parent.mkdir(parents=True)
    known_hosts.path.write_text(f"# my servers\n\n  chat.example.org:4242 \t{KEY}  \r\n# the end")
    assert known_hosts.find("chat.example.org:4242") == KnownHost(KEY, 3)
    assert known_hosts.remember("localhost:4242", OTHER_KEY) == KnownHost(OTHER_KEY, 5)
    assert known_hosts.find("localhost:4242") == KnownHost(OTHER_KEY, 5)


@pytest.mark.parametrize("line", ["localhost:4242", "localhost:4242 AB:CD", f"localhost:4242 {KEY}=", f"{KEY} a b"])
def test_a_line_that_is_none_is_not_passed_over(known_hosts: KnownHosts, line: str) -> None:
    known_hosts.path.parent.mkdir(parents=True)
    known_hosts.path.write_text(f"[::1]:4242 {KEY}\n{line}\n")
    for look in (known_hosts.find, lambda server: known_hosts.remember(server, KEY)):
        with pytest.raises(ValueError, match=r"line 2 of .*/known_hosts is no 'HOST:PORT SHA256:…': correct or remove"):
            look("chat.example.org:4242")


def test_bytes_that_are_no_utf8(known_hosts: KnownHosts) -> None:
    known_hosts.path.parent.mkdir(parents=True)
    known_hosts.path.write_bytes(b"# \xff\n")
    assert known_hosts.remember("localhost:4242", KEY) == KnownHost(KEY, 2)
    assert known_hosts.path.read_bytes().startswith(b"# \xff\n")


def test_many_at_once(known_hosts: KnownHosts) -> None:
    """Whoever comes first decides, and no line is lost."""
    keys = [f"SHA256:{'A' * 41}{number:02}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        kept = list(pool.map(lambda key: known_hosts.remember("localhost:4242", key), keys))
        list(pool.map(lambda key: known_hosts.remember(f"localhost:{int(key[-2:]) + 1}", key), keys))
    assert len(set(kept)) == 1
    assert len(known_hosts.path.read_text().splitlines()) == 21
    assert known_hosts.find("localhost:20") is not None
