"""Runs a test case between two endpoints: two processes, the link between them, and a look at what went over it."""

from __future__ import annotations

import os
import random
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

from quicmini.errors import QuicError
from quicmini.study.link.link import Address, Link
from tests.interop.cases import Case
from tests.interop.checks import Evidence
from tests.interop.convention import UNSUPPORTED
from tests.interop.explained import EXPLAINED
from tests.interop.pcap import write_pcap
from tests.interop.result import Result

__all__ = ["IMPLEMENTATIONS", "run_case"]

ROOT = Path(__file__).resolve().parents[2]

IMPLEMENTATIONS = {"quicmini": "tests.interop.endpoint", "aioquic": "tests.interop.aioquic_endpoint"}


class _Unsupported(Exception):
    """An endpoint has said that it cannot do this."""


class _NotStarted(Exception):
    """A server has ended before it listened."""


def run_case(
    case: Case, client: str, server: str, *, scale: float = 1.0, seed: int = 0, keep: Path | None = None
) -> Result:
    """One cell. scale: below 1, a smaller run. seed: of the link's faults. keep: a folder in which everything is left
    to be looked at."""
    result = Result(case.name, client, server)
    began = monotonic()
    directory = Path(tempfile.mkdtemp(prefix=f"interop-{case.name}-"))
    try:
        _Run(case, directory, scale, seed, keep=keep is not None).execute(result)
    except _Unsupported as error:
        result.unsupported = str(error)
    except _NotStarted as error:
        result.problems.append(str(error))
    finally:
        result.seconds = monotonic() - began
        if keep is not None:
            shutil.copytree(directory, keep / f"{case.name}-{client}-{server}", dirs_exist_ok=True)
        shutil.rmtree(directory)
    return result


class _Run:
    """The folders of one run, and what happens in them."""

    def __init__(self, case: Case, directory: Path, scale: float, seed: int, *, keep: bool) -> None:
        self._case = case
        self._directory = directory
        self._scale = scale
        self._scenario = replace(case.scenario.scaled(scale), seed=seed)
        self._keep = keep
        self._www, self._downloads, self._certificates = (directory / name for name in ("www", "downloads", "certs"))
        for folder in (self._www, self._downloads, self._certificates):
            folder.mkdir()
        case.certificates(self._certificates)
        self._files = self._write_files()

    def execute(self, result: Result) -> None:
        case = self._case
        host = "::1" if case.ipv6 else "127.0.0.1"
        with (
            Link((host, 0), self._scenario) as link,
            self._server(result.server, host, link.alternative_address) as port,
        ):
            link.target = (host, port)
            self._run_client(result, link.address)
        result.datagrams = len(link.captured)
        logs = [self._directory / "client.keys", self._directory / "server.keys"]
        evidence = Evidence(self._www, self._downloads, link.captured, logs)
        if self._keep:
            write_pcap(self._directory / "capture.pcap", link.captured)
            (self._directory / "packets.txt").write_text("".join(f"{packet}\n" for packet in evidence.packets))
        if result.problems:
            return
        for check in case.all_checks(len(self._files)):
            try:
                result.problems += check(evidence)
            except (QuicError, KeyError, ValueError) as error:  # packets in which there is nothing to check
                result.problems.append(f"{check.__name__}: {error!r}")
        explanation = EXPLAINED.get((result.case, result.client, result.server))
        if result.problems and explanation is not None:
            result.shown_by = str(explanation.shows(evidence.packets) or "")

    def _write_files(self) -> list[str]:
        """Files of the case's sizes with names and contents that are the same in every run."""
        choose = random.Random(self._case.name)
        names = []
        for size in self._case.scaled_sizes(self._scale):
            name = "".join(choose.choices(string.ascii_lowercase, k=self._case.name_length))
            (self._www / name).write_bytes(choose.randbytes(size))
            names.append(name)
        return names

    def _environment(self, role: str, test_case: str, **variables: str) -> Mapping[str, str]:
        return {
            **os.environ,
            "ROLE": role,
            "TESTCASE": test_case,
            "WWW": str(self._www),
            "DOWNLOADS": str(self._downloads),
            "CERTS": str(self._certificates),
            "SSLKEYLOGFILE": str(self._directory / f"{role}.keys"),
            **variables,
        }

    @contextmanager
    def _server(self, implementation: str, host: str, preferred: Address) -> Iterator[int]:
        """The server's process until the end of the block; the port it listens on."""
        variables = {"LISTEN": f"{host} 0"}
        if self._case.preferred_address:
            variables["PREFERRED_ADDRESS"] = f"{preferred[0]} {preferred[1]}"
        with (
            open(self._directory / "server.log", "wb") as log,
            subprocess.Popen(
                [sys.executable, "-m", IMPLEMENTATIONS[implementation]],
                cwd=ROOT,
                env=self._environment("server", self._case.server, **variables),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if not line:
                    if process.wait() == UNSUPPORTED:
                        raise _Unsupported(f"the server {implementation} cannot do it")
                    raise _NotStarted(f"the server {implementation} did not start: {self._end_of('server.log')}")
                yield int(line.rpartition(" ")[2])
            finally:
                process.kill()

    def _run_client(self, result: Result, address: Address) -> None:
        host, port = address
        host = f"[{host}]" if ":" in host else host
        urls = " ".join(f"https://{host}:{port}/{name}" for name in self._files)
        with open(self._directory / "client.log", "wb") as log:
            try:
                status = subprocess.run(
                    [sys.executable, "-m", IMPLEMENTATIONS[result.client]],
                    cwd=ROOT,
                    env=self._environment("client", self._case.client, REQUESTS=urls),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    check=False,
                    timeout=self._case.timeout,
                ).returncode
            except subprocess.TimeoutExpired:
                result.problems.append(f"the client was not done after {self._case.timeout} seconds")
                return
        if status == UNSUPPORTED:
            raise _Unsupported(f"the client {result.client} cannot do it")
        if status:
            result.problems.append(f"the client's exit status is {status}: {self._end_of('client.log')}")

    def _end_of(self, log: str) -> str:
        lines = (self._directory / log).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it said nothing)"
