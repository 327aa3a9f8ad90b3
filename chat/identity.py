"""Who the server is: its certificate, and how another one is put in its place while it runs."""

from __future__ import annotations

import datetime
import logging
from dataclasses import dataclass
from pathlib import Path

from chat.certificates import CertificateFiles, fingerprint, kept_certificate, public_key_fingerprint
from quicmini import Listener

__all__ = ["Identity", "announce"]

logger = logging.getLogger("chat")


@dataclass(frozen=True)
class Identity:
    """own: the user's certificate and key; None: the self-signed one that is kept in `state_dir`, and names the address
    that the server is bound to. Its methods do file work, so they may block."""

    own: CertificateFiles | None
    state_dir: Path
    bind_host: str

    def files(self) -> CertificateFiles:
        """Where the certificate is; a self-signed one is made, or renewed with the same key, if need be.

        Raises OSError.
        """
        return self.own or kept_certificate(self.state_dir, self.bind_host, datetime.datetime.now(datetime.UTC))

    def reload(self, listener: Listener) -> None:
        """Have new clients shown what the files hold now. If that is of no use, the old certificate stays, with a
        warning. Raises nothing."""
        try:
            files = self.files()
            listener.reload_certificate(str(files.certfile), str(files.keyfile))
        except (OSError, ValueError) as error:
            logger.warning("the certificate stays the old one: %s", error)
        else:
            logger.info("the certificate was read again")
            announce(files)


def announce(files: CertificateFiles) -> None:
    """Log by what clients can know the server."""
    logger.info("certificate %s, SHA-256 fingerprint %s", files.certfile, fingerprint(files.certfile))
    logger.info("its key, as clients are shown it when they first join: %s", public_key_fingerprint(files.certfile))
