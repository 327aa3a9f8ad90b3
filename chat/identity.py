"""Who the server is and whom it knows: its certificate, the clients' authorities, the password, and how others are put
in their place while it runs."""

from __future__ import annotations

import datetime
import logging
from dataclasses import dataclass
from pathlib import Path

from chat.certificates import CertificateFiles, fingerprint, kept_certificate, public_key_fingerprint
from chat.passwords import read_file
from chat.server.admission import Admission
from quicmini import Listener

__all__ = ["Identity", "announce"]

logger = logging.getLogger("chat")


@dataclass(frozen=True)
class Identity:
    """own: the user's certificate and key; None: the self-signed one that is kept in `state_dir`, and names the address
    that the server is bound to. client_ca: the file with the authorities of clients' certificates, password_file: the
    one with the password; None: there is none. Its methods do file work, so they may block."""

    own: CertificateFiles | None
    state_dir: Path
    bind_host: str
    client_ca: str | None = None
    password_file: str | None = None

    def files(self) -> CertificateFiles:
        """Where the certificate is; a self-signed one is made, or renewed with the same key, if need be.

        Raises OSError.
        """
        return self.own or kept_certificate(self.state_dir, self.bind_host, datetime.datetime.now(datetime.UTC))

    def password(self) -> str:
        """What clients must say; empty: nothing. Raises ValueError, with a sentence, if the file cannot be used."""
        return read_file(self.password_file) if self.password_file is not None else ""

    def reload(self, listener: Listener, admission: Admission) -> None:
        """From now on go by what the files hold: all of them, or none if one is of no use, with a warning. Who is there
        stays there. Raises nothing."""
        try:
            password, files = self.password(), self.files()
            listener.reload_certificate(str(files.certfile), str(files.keyfile), self.client_ca)
        except (OSError, ValueError) as error:
            logger.warning("%s as before: %s", self._all_files(), _sentence(error))
        else:
            admission.change_password(password)
            logger.info("%s read again", self._all_files())
            announce(files)

    def _all_files(self) -> str:
        others = (("password", self.password_file), ("client CA", self.client_ca))
        return ", ".join(["certificate", *(what for what, file in others if file is not None)])


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"cannot use {str(error.filename)!r}: {error.strerror}"
    return str(error)


def announce(files: CertificateFiles) -> None:
    """Log by what clients can know the server."""
    logger.info("certificate %s, SHA-256 fingerprint %s", files.certfile, fingerprint(files.certfile))
    logger.info("its key, as clients are shown it when they first join: %s", public_key_fingerprint(files.certfile))
