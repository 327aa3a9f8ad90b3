"""A client's move to another socket (RFC 9000 §9)."""

from __future__ import annotations

import logging
from time import monotonic

from quicmini.connection.state import Address
from quicmini.errors import MigrationError
from quicmini.sync.addresses import check_address, family_of
from quicmini.sync.deadline import Deadline
from quicmini.sync.driver import Driver

__all__ = ["follow_preference", "move"]

logger = logging.getLogger("quicmini")


def move(driver: Driver, local_address: Address, deadline: Deadline, remote: Address | None = None) -> None:
    """Wait until the server has answered at a new socket, and use that from then on. One move comes after another.

    remote: another address of the server. Raises MigrationError, TimeoutError, OSError; the connection stays as it was.
    """
    remaining = deadline.remaining()
    if not driver.moving.acquire(timeout=-1 if remaining is None else remaining):
        raise TimeoutError("timed out waiting for an earlier move to end")
    try:
        _move(driver, local_address, deadline, remote)
    finally:
        driver.moving.release()


def _move(driver: Driver, local_address: Address, deadline: Deadline, remote: Address | None) -> None:
    core = driver.core
    destination = remote or core.remote_address
    check_address(local_address)
    udp = type(driver.loop.udp).connect(family_of(destination), destination, local_address)
    driver.loop.add_socket(udp)
    try:
        with driver.lock:
            while not core.handshake_confirmed:
                driver.check()
                driver.wait_changed("the handshake to be confirmed", deadline)
            driver.check()
            core.migrate(udp, monotonic(), udp.remote_address if remote else None)
            driver.flush()
            while core.migrating:
                driver.wait_changed("the server to answer at the new address", deadline)
                driver.check()
            if core.local is not udp:
                raise MigrationError("the server did not answer at the new address")
    except BaseException:
        with driver.lock:
            if core.local is not udp:
                core.cancel_migration()
                driver.loop.remove_socket(udp)
        raise


def follow_preference(driver: Driver) -> None:
    """Try to move to the address that the server prefers, if it has one of the same IP version (RFC 9000 §9.6).

    Does not wait for it. Called with the connection's lock held.
    """
    core = driver.core
    family = family_of(core.remote_address)
    for address in core.preferred_addresses:
        if family_of(address) == family:
            try:
                udp = type(driver.loop.udp).connect(family, address)
            except OSError as error:
                logger.debug("the server's preferred address %s cannot be used: %s", address, error)
                return
            driver.loop.add_socket(udp)
            try:
                core.migrate(udp, monotonic(), udp.remote_address)
            except MigrationError as error:
                logger.debug("the server's preferred address %s is not followed: %s", address, error)
                driver.loop.remove_socket(udp)
