"""An authority of a bank's own, whose certificates only those believe who have its file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


class Authority:
    """Its certificate is in the file `ca`."""

    def __init__(self, folder: Path, name: str = "CA del banco") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name, self._key = folder, _called(name), ec.generate_private_key(ec.SECP256R1())
        self.ca = self._written("ca", self._signed(self._name, self._key.public_key(), 2, [], ca=True), self._key)[0]

    def issue(self, name: str, *hosts: str, days: int = 2, password: str = "") -> tuple[Path, Path]:
        """Files of a certificate and of its key, encrypted if there is a password. days: until it ends, negative: it ended so long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(_called(name), key.public_key(), days, [x509.DNSName(host) for host in hosts], ca=False)
        return self._written(name, signed, key, password)

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, days: int, hosts: list[x509.GeneralName], *, ca: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(self._name, name, key, x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
        made = made.add_extension(x509.BasicConstraints(ca, None), critical=True)
        if hosts:
            made = made.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return made.sign(self._key, hashes.SHA256())

    def _written(
        self, name: str, signed: x509.Certificate, key: ec.EllipticCurvePrivateKey, password: str = ""
    ) -> tuple[Path, Path]:
        locked = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        cert, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        cert.write_bytes(signed.public_bytes(PEM))
        secret.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))
        return cert, secret


def beside(config: str, folder: Path, password: str = "") -> None:
    """The files that a configuration names as `ca_file`, `cert_file` and `key_file`, the key encrypted if it names a `key_password` too."""
    issuer = Authority(folder / "authority")
    cert, key = issuer.issue("vigia", password=password if "key_password" in config else "")
    made = {"ca_file": issuer.ca, "cert_file": cert, "key_file": key}
    for name, path in re.findall(r'(?m)^(ca_file|cert_file|key_file)\s*= "([\w-]+\.(?:pem|key))"', config):
        (folder / path).write_bytes(made[name].read_bytes())


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
