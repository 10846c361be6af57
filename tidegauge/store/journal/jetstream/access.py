"""Where the NATS servers are, and what is shown to them."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Access:
    """How the servers are reached.

    Args:
        servers: URLs such as nats://a:4222.
        credentials: a file with an NKey's seed, a user's JWT with its seed, or USER:PASSWORD; "": nothing is asked.
        ca: CA certificate (PEM) for the servers; "": the system's list.
    """

    servers: tuple[str, ...]
    credentials: str = ""
    ca: str = ""

    @property
    def replicas(self) -> int:
        """Of what is kept: three where there are so many servers, which outlives the loss of one."""
        return 3 if len(self.servers) >= 3 else 1

    def options(self) -> dict[str, Any]:
        """Return what nats.connect takes; raises OSError where a file cannot be read."""
        found: dict[str, Any] = {}
        if any(server.startswith("tls:") for server in self.servers) or self.ca:
            found["tls"] = ssl.create_default_context(cafile=self.ca or None)
        if self.credentials:
            content = Path(self.credentials).read_text("utf-8").strip()
            if "BEGIN NATS USER JWT" in content:
                found["user_credentials"] = self.credentials
            elif ":" in content:
                found["user"], _, found["password"] = content.partition(":")
            else:
                found["nkeys_seed_str"] = content
        return found
