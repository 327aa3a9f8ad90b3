"""What the environment asks to be recorded, as many programs understand it: SSLKEYLOGFILE names a key log to append to
(RFC 9850), QLOGDIR a directory for qlog files. Unset or empty, nothing is recorded."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import cache

from quicmini.config import Config, Keylog, MakeObserver
from quicmini.observe.keylog import KeyLog
from quicmini.observe.problems import why

__all__ = ["complete"]

logger = logging.getLogger("quicmini")


def complete(config: Config) -> Config:
    """The settings with what the environment adds now; what they say themselves, they keep."""
    path, directory = os.environ.get("SSLKEYLOGFILE"), os.environ.get("QLOGDIR")
    if path and config.keylog is None:
        config = replace(config, keylog=_key_log(path))
    if directory and config.observer is None:
        config = replace(config, observer=_qlog(directory))
    return config


# One for each path, so that whatever goes wrong is told once.


@cache
def _key_log(path: str) -> Keylog | None:
    try:
        return KeyLog(path)
    except OSError as error:
        logger.warning(
            "cannot write the key log %r that SSLKEYLOGFILE names: %s; going on without it", path, why(error)
        )
        return None


@cache
def _qlog(directory: str) -> MakeObserver:
    # Most programs have no use for it, and start sooner without.
    from quicmini.observe.qlog import Qlog

    return Qlog(directory)
