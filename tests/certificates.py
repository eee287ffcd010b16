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
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(
        [
            *(needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem"), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", names),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return folder / "ca.pem", context
