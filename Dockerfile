# Tidegauge in one container: Apache (PID 1), mod_wsgi and one Python process. Built and run by `docker compose up`.
#
# Security updates come with a new build: `docker compose build --pull --no-cache`.
# Only what every BuildKit has is used (also the engine of Debian 12), so no `# syntax=` line fetches another front end.

# ---- compiler: nothing of it goes on ----
FROM debian:trixie-slim AS compiler

# pipefail: no failure hides on the left of a pipe.
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# mod_wsgi is built from its source, against Debian's Apache and Debian's Python: its wheel fits one interpreter only.
# hadolint ignore=DL3008 # no versions: Debian stable changes them for security only, and drops the old ones
RUN apt-get update \
    && apt-get upgrade --yes \
    && apt-get install --yes --no-install-recommends apache2-dev gcc python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

# ---- packages: the virtual environment, whole ----
FROM compiler AS packages

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/tidegauge

# The time of every file of ours, so that the same code gives the same layers, whenever it is built: 1980, the first year
# that a zip file, so a wheel, can hold.
ENV SOURCE_DATE_EPOCH=315532800

# Before the code, so that a change of code builds no package again. No bytecode yet: it is made once, at the end. No debug
# symbols of mod_wsgi: they name pip's temporary folder, and its build id hashes them.
COPY requirements/build.txt requirements/serve.txt requirements/
RUN python3 -m venv venv \
    && venv/bin/pip install --no-compile --require-hashes --requirement requirements/build.txt \
    && LDFLAGS=-Wl,--strip-debug venv/bin/pip install --no-compile --require-hashes --no-cache-dir --no-build-isolation \
        --requirement requirements/serve.txt \
    && venv/bin/pip uninstall --yes setuptools wheel

# What your own dashboards import (my-dashboards/requirements.txt, if there is one). What Tidegauge pins, it cannot move:
# a conflict ends the build with pip's explanation. pip itself ends here.
COPY my-dashboards my-dashboards
RUN venv/bin/pip freeze >pinned.txt \
    && if [ -f my-dashboards/requirements.txt ]; then \
        venv/bin/pip install --no-compile --no-cache-dir --constraint pinned.txt \
            --requirement my-dashboards/requirements.txt; \
    fi \
    && venv/bin/pip uninstall --yes pip \
    && rm -r pinned.txt my-dashboards requirements

# ---- builder: makes two layers of the image, each below a root of its own in /layers ----
FROM packages AS builder

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# Debug symbols (11 MB), BokehJS that no page loads (20 MB: sources, TypeScript, its compiler), tests (19 MB; NumPy's own
# numpy.testing imports _natype.py out of one). Then the bytecode (21 MB): nothing can write it later, and without it the
# import of the application takes 1.2 s instead of 0.65 s, after a crash too. "unchecked-hash": whatever becomes of the files'
# times; -f: also for the few that pip has left, which go by time.
RUN find venv -name '*.cpython-*.so' -exec strip --strip-unneeded {} + \
    && rm -r venv/lib/python3.13/site-packages/{bokeh/server/static/{lib,js/lib},tornado/test} \
    && find venv -path '*/bokeh/server/static/js/*' -type f -not -name '*.min.js' -delete \
    && find venv -path '*/numpy/*/tests/*' -type f -not -name _natype.py -delete \
    && venv/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash venv \
    && mkdir -p /layers/venv/opt/tidegauge \
    && cp --archive venv /layers/venv/opt/tidegauge/ \
    && find /layers/venv -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

WORKDIR /layers/application/opt/tidegauge
COPY tidegauge tidegauge
COPY app app
COPY apache apache
COPY wsgi.py ./

# Static files for Apache, compressed once; then the bytecode. Modes are not the clone's: of one that was made below umask 077
# the server could read nothing.
RUN PYTHONDONTWRITEBYTECODE=1 /opt/tidegauge/venv/bin/flask --app wsgi assets assets \
    && /opt/tidegauge/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash . \
    && chmod --recursive u=rwX,go=rX /layers/application \
    && find /layers/application -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# ---- runtime: what the image has of Debian ----
FROM debian:trixie-slim AS runtime

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# apache2-bin is the server alone: apache2 would bring a configuration tree and start scripts that are not used.
# libpython3.13 is what mod_wsgi is linked to. The build fails where apt does not know Debian's security suite, or where one
# of its updates is still to come. perl (50 MB) is named by apache2-bin's package and used by no file of it. Nothing here
# needs to become another user, so no file may make it one (su, mount, passwd and the like lose their setuid bit).
# hadolint ignore=DL3008,SC2016 # no versions: as above; the $(...) are apt's
RUN apt-get update \
    && apt-get indextargets --format '$(CODENAME) $(LABEL)' | grep '^trixie-security Debian-Security' >/dev/null \
    && apt-get upgrade --yes \
    && apt-get install --yes --no-install-recommends apache2-bin libpython3.13 python3 \
    && apt-get --simulate dist-upgrade >/tmp/pending \
    && if grep '^Inst .*Debian-Security' /tmp/pending; then echo 'security updates are pending' >&2; exit 1; fi \
    && dpkg --purge --force-depends perl libperl5.40 perl-modules-5.40 libgdbm-compat4t64 \
    && apt-get clean \
    && rm -rf /tmp/pending /var/lib/apt/lists/* /var/cache/{debconf/*-old,ldconfig/*} /var/log/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# A fixed uid: volumes, tmpfs mounts and `runAsNonRoot` go by number. The home folder must be there. The two folders that can be
# written are made here, so that a plain `docker run` works too, and a new volume takes the owner of its folder.
RUN useradd --uid 10001 --user-group --home-dir /run/tidegauge --no-create-home --shell /usr/sbin/nologin tidegauge \
    && install --directory --owner=tidegauge --group=tidegauge /run/tidegauge \
    && install --directory --owner=tidegauge --group=tidegauge --mode=0750 /var/lib/tidegauge

# ---- sbom: writes the list of all parts, by tools that do not go into the image ----
FROM packages AS sbom

WORKDIR /sbom
COPY requirements/sbom.txt ./
RUN python3 -m venv venv && venv/bin/pip install --no-compile --require-hashes --requirement sbom.txt
COPY requirements/sbom.py ./
# What it lists: Debian's packages and the files that browsers load, of the image; Python's and BokehJS, of the stage below.
COPY --from=runtime /var/lib/dpkg dpkg
COPY --from=builder /layers/application/opt/tidegauge/assets assets
RUN mkdir -p /layers/sbom/opt/tidegauge \
    && venv/bin/cyclonedx-py environment --no-validate --output-file python.json /opt/tidegauge/venv/bin/python \
    && venv/bin/python sbom.py >/layers/sbom/opt/tidegauge/sbom.cdx.json

# ---- the image ----
FROM runtime AS tidegauge

# Owned by root: the server cannot change its own code. To / and not to /opt/tidegauge, as the folders above a target get
# the time of the build.
COPY --from=builder /layers/venv/ /
COPY --from=builder /layers/application/ /
COPY --from=sbom /layers/sbom/ /

# 0.0.0.0 is the container's own; what the host publishes is said in docker-compose.yml. TMPDIR: there is one place to write.
ENV TIDEGAUGE_BIND=0.0.0.0 \
    TIDEGAUGE_RUN=/run/tidegauge \
    TIDEGAUGE_JOURNAL=/var/lib/tidegauge/journal.sqlite \
    TIDEGAUGE_JOURNAL_COPY=/var/lib/tidegauge/copy.sqlite \
    TMPDIR=/run/tidegauge
WORKDIR /opt/tidegauge
USER 10001:10001
EXPOSE 8080

# A build that cannot start fails here: the configuration, every module, and mod_wsgi with this Python.
RUN apache/httpd-foreground -t

# SIGWINCH lets requests finish; SIGTERM would cut them. Give no TTY: its resize sends the same signal.
STOPSIGNAL SIGWINCH

# Readiness, as the application itself answers it. Every 5 s (a probe costs 80 ms), so that a start is seen in time:
# --start-interval would see it sooner, but needs engine 25.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["apache/healthcheck"]

# Becomes Apache by exec: PID 1 gets the signals.
ENTRYPOINT ["/opt/tidegauge/apache/httpd-foreground"]
