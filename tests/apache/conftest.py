from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree, which
from tempfile import mkdtemp

import certificate
import pytest
import served
from certificate import Certificate
from served import Served

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


@pytest.fixture(scope="session")
def pem(require: Callable[[bool, str], None]) -> Iterator[Certificate]:
    """A certificate where Tidegauge's user can read it."""
    require(which("openssl") is not None, "needs openssl: apt-get install openssl")
    folder = Path(mkdtemp(dir="/dev/shm"))  # pytest's own folder is for root's eyes alone
    folder.chmod(0o755)
    yield certificate.make(folder)
    rmtree(folder)


@pytest.fixture(scope="session")
def lenient(pem: Certificate) -> Path:
    """A configuration of OpenSSL that takes everything, for OPENSSL_CONF."""
    conf = pem.key.with_name("lenient.cnf")
    conf.write_text(LENIENT)
    return conf


@pytest.fixture(scope="session")
def secure(
    server: Served,  # noqa: ARG001 -- the first installs packages, by an OpenSSL as it is
    pem: Certificate,
    lenient: Path,
) -> Iterator[Served]:
    """A real Apache that speaks HTTPS, with a certificate of the tests' own, under a lenient OpenSSL."""
    one = served.start(OPENSSL_CONF=str(lenient), **pem.settings)
    yield one
    served.stop(one)
