"""A certificate of this machine's, that nobody else vouches for."""

from __future__ import annotations

import ssl
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.programs import needed


@cache
def own_certificate() -> tuple[Path, ssl.SSLContext]:
    """The file that vouches for it (a `ca_file`), and the server's side."""
    folder = Path(mkdtemp(prefix="vigia-certificate-"))
    made(folder, "ca.pem", "localhost")
    return folder / "ca.pem", serving(folder / "ca.pem")


@cache
def client_certificate(name: str = "vigia", password: str = "") -> tuple[Path, Path]:
    """A client's certificate and its key, encrypted if there is a password."""
    folder = Path(mkdtemp(prefix="vigia-certificate-"))
    made(folder, "client.pem", name, password)
    return folder / "client.pem", folder / "key.pem"


def demanding(*clients: Path, tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A server's side that lets only these certificates in."""
    context = serving(own_certificate()[0])
    context.minimum_version = context.maximum_version = tls
    context.verify_mode = ssl.CERT_REQUIRED
    for client in clients:
        context.load_verify_locations(client)
    return context


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


def made(folder: Path, file: str, name: str, password: str = "") -> None:
    locked = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subprocess.run(
        [
            *(needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *locked),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / file), "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
