"""Fixtures that every test may ask for: a certificate authority and certificates of each kind, made once a session.

`pytest` alone, for the whole suite, shares the tests out to several processes, since many of them wait; `pytest` with
the names of folders, files or tests does them in its own, one after another. `-n` says how many it shall be instead.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest
from hypothesis import settings

from tests.certificates import Authority, CertificateFiles
from tests.simulator.tally import TALLY, Tally

PROCESSES = 4  # for the whole suite, also on two cores: while one test waits, another works
LONG = ("test_soak.py", "test_processes.py", "test_matrix.py", "test_simulation.py", "test_fuzz.py", "test_servers.py")

# The same examples in every run: what fails here fails everywhere, and nobody's change fails by chance.
settings.register_profile("replayed", derandomize=True)
settings.load_profile("replayed")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Say how many processes there are (`-n` of pytest-xdist), before pytest-xdist looks."""
    option = config.option
    if not hasattr(option, "numprocesses") or hasattr(config, "workerinput"):
        return  # without pytest-xdist, or in one of its processes
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and option.numprocesses is None and not option.usepdb:
        option.numprocesses = PROCESSES
    if option.numprocesses and option.dist == "no":
        option.dist = "loadfile"  # whole modules, since some have fixtures for all of their tests
        option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: nobody is to wait for it in the end."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONG)))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Tally()
    if "PYTHONDONTWRITEBYTECODE" in os.environ:
        _share_compiled_modules(config)


def _share_compiled_modules(config: pytest.Config) -> None:
    """Where none may be written beside the sources, each of hundreds of processes that are started would compile all
    modules again: let them share a folder, for as long as the tests run."""
    folder = tempfile.TemporaryDirectory(prefix="quicmini-compiled-")
    environment = pytest.MonkeyPatch()
    environment.delenv("PYTHONDONTWRITEBYTECODE")
    environment.setenv("PYTHONPYCACHEPREFIX", folder.name)
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(environment.undo)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)  # for the process that asked
    if output is not None:
        tally = session.config.stash[TALLY]
        output["simulator"] = (tally.ratio, tally.runs)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes has ended: the simulator runs that it did count here."""
    if hasattr(node, "workeroutput"):  # it did not crash
        node.config.stash[TALLY].add(*node.workeroutput["simulator"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the largest ratio was: a rule that is never put to the test proves nothing."""
    if config.stash[TALLY].runs:
        terminalreporter.write_line(str(config.stash[TALLY]))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An ECDSA certificate authority of the test session."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_files(authority: Authority) -> CertificateFiles:
    """An ECDSA P-256 certificate for localhost, 127.0.0.1 and ::1."""
    return authority.issue()


@pytest.fixture(scope="session")
def rsa_files(authority: Authority) -> CertificateFiles:
    """An RSA certificate for the same names."""
    return authority.issue(kind="rsa")


@pytest.fixture(scope="session")
def ed25519_files(authority: Authority) -> CertificateFiles:
    """An Ed25519 certificate for the same names."""
    return authority.issue(kind="ed25519")
