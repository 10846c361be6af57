# A NATS server of Debian's, for compose.cluster.yml.
FROM debian:trixie-slim

# hadolint ignore=DL3008 # no versions: as in ../Dockerfile
RUN apt-get update \
    && apt-get upgrade --yes \
    && apt-get install --yes --no-install-recommends nats-server \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/*

# The user's folder is the only one that it writes to; a new volume takes its owner.
RUN useradd --uid 10002 --user-group --home-dir /var/lib/nats --create-home --shell /usr/sbin/nologin tidegauge-nats
COPY nats.conf /etc/
USER 10002:10002
VOLUME /var/lib/nats

# It has caught up with the others when it says so.
HEALTHCHECK --interval=2s --timeout=5s --start-period=30s --retries=5 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8222 && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && grep --quiet '^HTTP/1.0 200' <&3"]

ENTRYPOINT ["nats-server", "--config", "/etc/nats.conf"]
