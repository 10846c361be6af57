"""Certificates of the tests' own, made by openssl."""

import subprocess
from pathlib import Path
from typing import NamedTuple

# OpenSSL as it was, for who connects and for who listens: what is refused then, Tidegauge refuses.
LENIENT = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = lenient
[lenient]
MinProtocol = None
CipherString = ALL:@SECLEVEL=0
"""


class Certificate(NamedTuple):
    """A certificate for an address, 127.0.0.1 where it is not said, and its key, as PEM files."""

    certificate: Path
    key: Path

    @property
    def settings(self) -> dict[str, str]:
        return {"TIDEGAUGE_TLS_CERTIFICATE": str(self.certificate), "TIDEGAUGE_TLS_KEY": str(self.key)}


def make(folder: Path, address: str = "127.0.0.1") -> Certificate:
    """Write a new one to *folder*, in the place of the one that is there; whoever may enter it can read both."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    names = f"subjectAltName=DNS:localhost,IP:{address}"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=live.example.org", "-addext", names, "-days", "2"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    made.key.chmod(0o644)
    return made
