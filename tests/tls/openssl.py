"""Certificates as people make them: with the openssl command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

NEW_KEY = {
    "rsa": ("-newkey", "rsa:2048"),
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ed25519": ("-newkey", "ed25519"),
}


def openssl(*arguments: str, stdin: str = "") -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True, input=stdin.encode())


def self_signed(
    directory: Path, kind: str, *, ca: bool | None = None, san: str | None = None, common_name: str = "localhost"
) -> tuple[str, str]:
    """`openssl req -x509` as in every tutorial; certificate and key. ca: None leaves it to openssl (CA:TRUE)."""
    certfile, keyfile = str(directory / "cert.pem"), str(directory / "key.pem")
    extensions = []
    if ca is not None:
        extensions += ["-addext", f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}"]
    if san is not None:
        extensions += ["-addext", f"subjectAltName={san}"]
    openssl(
        "req", "-x509", *NEW_KEY[kind], "-nodes", "-subj", f"/CN={common_name}", "-days", "30",
        "-keyout", keyfile, "-out", certfile, *extensions,
    )  # fmt: skip
    return certfile, keyfile


def signed(directory: Path, kind: str, cafile: str, cakey: str, san: str) -> tuple[str, str]:
    """`openssl x509 -req -CA`: a certificate signed by another one."""
    certfile, keyfile = str(directory / "leaf.pem"), str(directory / "leaf-key.pem")
    request, extensions = str(directory / "leaf.csr"), directory / "leaf.ext"
    extensions.write_text(f"subjectAltName={san}\n")
    openssl("req", "-new", *NEW_KEY[kind], "-nodes", "-subj", "/CN=leaf", "-keyout", keyfile, "-out", request)
    openssl(
        "x509", "-req", "-in", request, "-CA", cafile, "-CAkey", cakey, "-CAcreateserial",
        "-days", "20", "-extfile", str(extensions), "-out", certfile,
    )  # fmt: skip
    return certfile, keyfile
