"""The test cases of the public interop runner, and one more, as a table: which files, over which link, what to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quicmini.study.link.scenario import Direction, Scenario
from tests.interop import checks
from tests.interop.certificates import write_certificates, write_long_chain
from tests.interop.checks import Check, handshakes

__all__ = ["CASES", "Case"]

KB = 1024
MB = 1024 * KB

# What a case is never scaled below: bytes of a file, connections, files.
_LEAST_SIZE = 100 * KB
_LEAST_COUNT = 3

_LOSSY_HANDSHAKE_TIMEOUT = 300  # seconds

_DEFAULT = Scenario()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the matrix.

    client, server: what each side is told to do (TESTCASE). sizes: bytes of each file. name_length: characters of the
    files' names. connections: how many handshakes there must be; 0: one for each file. many: the files are many because
    that is the case, so that a scaled run has fewer. timeout: seconds.
    """

    name: str
    abbreviation: str
    sizes: tuple[int, ...]
    checks: tuple[Check, ...] = (checks.only_version_1,)
    client: str = "transfer"
    server: str = "transfer"
    scenario: Scenario = _DEFAULT
    ipv6: bool = False
    preferred_address: bool = False
    certificates: Callable[[Path], None] = write_certificates
    connections: int = 1
    many: bool = False
    name_length: int = 12
    timeout: float = 60

    def scaled_sizes(self, factor: float) -> tuple[int, ...]:
        """The files of a run that is to take a fraction of the time."""
        sizes = self.sizes
        if self.many:
            sizes = sizes[: max(_LEAST_COUNT, round(len(sizes) * factor))]
        return tuple(max(min(size, _LEAST_SIZE), round(size * factor)) for size in sizes)

    def all_checks(self, files: int) -> tuple[Check, ...]:
        """Those of every case, and its own."""
        return (checks.files, handshakes(self.connections or files), *self.checks)


_V1 = checks.only_version_1
_LOSS = Direction(loss=0.3)
_CORRUPTION = Direction(corruption=0.3)
_LITTLE_LOSS = Direction(loss=0.02)
_LITTLE_CORRUPTION = Direction(corruption=0.02)

CASES = {
    case.name: case
    for case in (
        Case(
            name="handshake",
            abbreviation="H",
            client="handshake",
            server="handshake",
            sizes=(1 * KB,),
            checks=(_V1, checks.no_retry),
        ),
        Case(name="transfer", abbreviation="DC", sizes=(2 * MB, 3 * MB, 5 * MB)),
        Case(
            name="longrtt",
            abbreviation="LR",
            client="handshake",
            server="handshake",
            sizes=(1 * KB,),
            scenario=Scenario(delay=0.75),
            checks=(_V1, checks.several_client_hellos),
        ),
        Case(
            name="chacha20",
            abbreviation="C20",
            client="chacha20",
            server="chacha20",
            sizes=(3 * MB,),
            checks=(_V1, checks.only_chacha20),
        ),
        Case(
            name="multiplexing",
            abbreviation="M",
            sizes=(32,) * 1999,
            many=True,
            checks=(_V1, checks.moderate_stream_limit),
        ),
        Case(
            name="retry",
            abbreviation="S",
            client="retry",
            server="retry",
            sizes=(10 * KB,),
            checks=(_V1, checks.retry_is_followed),
        ),
        Case(
            name="resumption",
            abbreviation="R",
            client="resumption",
            server="resumption",
            sizes=(5 * KB, 10 * KB),
            connections=2,
            checks=(_V1, checks.certificate_only_once),
        ),
        Case(
            name="zerortt",
            abbreviation="Z",
            client="zerortt",
            server="zerortt",
            sizes=(32,) * 40,
            name_length=250,
            connections=2,
            checks=(_V1, checks.early_requests),
        ),
        Case(name="blackhole", abbreviation="B", sizes=(10 * MB,), scenario=Scenario(blackhole=(5, 7))),
        Case(
            name="keyupdate",
            abbreviation="U",
            client="keyupdate",
            sizes=(3 * MB,),
            checks=(_V1, checks.both_update_keys),
        ),
        Case(
            name="ecn",
            abbreviation="E",
            client="ecn",
            server="ecn",
            sizes=(100 * KB,),
            checks=(_V1, checks.both_use_ecn),
        ),
        Case(
            name="amplificationlimit",
            abbreviation="A",
            sizes=(5 * KB,),
            scenario=Scenario(to_server=Direction(drops=frozenset(range(2, 8)))),
            certificates=write_long_chain,
            checks=(_V1, checks.amplification_is_limited),
        ),
        Case(
            name="handshakeloss",
            abbreviation="L1",
            client="multiconnect",
            server="multiconnect",
            sizes=(1 * KB,) * 50,
            many=True,
            connections=0,
            scenario=_DEFAULT.symmetric(_LOSS),
            timeout=_LOSSY_HANDSHAKE_TIMEOUT,
        ),
        Case(name="transferloss", abbreviation="L2", sizes=(2 * MB,), scenario=_DEFAULT.symmetric(_LITTLE_LOSS)),
        Case(
            name="handshakecorruption",
            abbreviation="C1",
            client="multiconnect",
            server="multiconnect",
            sizes=(1 * KB,) * 50,
            many=True,
            connections=0,
            scenario=_DEFAULT.symmetric(_CORRUPTION),
            timeout=_LOSSY_HANDSHAKE_TIMEOUT,
        ),
        Case(
            name="transfercorruption",
            abbreviation="C2",
            sizes=(2 * MB,),
            scenario=_DEFAULT.symmetric(_LITTLE_CORRUPTION),
        ),
        Case(name="ipv6", abbreviation="6", sizes=(5 * KB, 10 * KB), ipv6=True, checks=(_V1, checks.only_ipv6)),
        Case(
            name="v2",
            abbreviation="V2",
            client="v2",
            server="v2",
            sizes=(1 * KB,),
            checks=(checks.compatible_version_2,),
        ),
        Case(
            name="rebind-port",
            abbreviation="BP",
            sizes=(10 * MB,),
            scenario=Scenario(first_rebinding=1),
            checks=(_V1, checks.new_paths_are_validated),
        ),
        Case(
            name="rebind-addr",
            abbreviation="BA",
            sizes=(10 * MB,),
            scenario=Scenario(first_rebinding=1, rebind_address=True),
            checks=(_V1, checks.new_paths_are_validated, checks.several_addresses),
        ),
        Case(
            name="connectionmigration",
            abbreviation="CM",
            server="connectionmigration",
            sizes=(2 * MB,),
            preferred_address=True,
            checks=(
                _V1,
                checks.preferred_address_is_announced,
                checks.new_paths_are_validated,
                checks.new_path_new_cid,
            ),
        ),
        # Not one of the public runner's: there, no client moves unless it is asked to.
        Case(
            name="clientmigration",
            abbreviation="CM2",
            client="connectionmigration",
            sizes=(2 * MB,),
            checks=(_V1, checks.new_paths_are_validated, checks.new_path_new_cid),
        ),
    )
}
