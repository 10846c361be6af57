"""Figures of Tidegauge itself for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from collections.abc import Iterator
from time import monotonic

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from tidegauge.server import vitals
from tidegauge.server.current import current_owner
from tidegauge.server.owner import Owner
from tidegauge.server.readiness import reasons_against
from tidegauge.web.access import is_from_loopback, pusher

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Send all metrics as text, to loopback and to clients that bring a push token."""
    if not is_from_loopback():
        pusher()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(current_owner()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Collector:
    """Reads the owner when it is scraped."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        owner, journal, site = self._owner, self._owner.hub.journal, self._owner.site_if_built
        state = journal.state()
        yield GaugeMetricFamily("tidegauge_ready", "1 if readiness passes", float(not reasons_against(owner)))
        yield GaugeMetricFamily(
            "tidegauge_up_seconds", "Since this process began to serve", monotonic() - owner.started_at
        )
        if (answered := vitals.requests()) is not None:
            yield CounterMetricFamily("tidegauge_python_requests", "That reached Python (mod_wsgi)", answered)
        yield GaugeMetricFamily("tidegauge_series", "Series with a window", len(owner.hub.windows))
        yield CounterMetricFamily("tidegauge_samples", "Samples kept by this process", owner.hub.windows.kept)
        yield CounterMetricFamily("tidegauge_samples_refused", "By the cap on series", owner.hub.refused)
        for name in ("samples", "bytes", "horizon"):
            if name in state:
                yield GaugeMetricFamily(f"tidegauge_journal_{name}", f"The journal's {name}", float(str(state[name])))
        commits = SummaryMetricFamily("tidegauge_commit_seconds", "Commits of the journal")
        commits.add_metric([], count_value=journal.commits.count, sum_value=journal.commits.seconds)
        yield commits
        yield from owner.pushes.collect()
        failures = CounterMetricFamily("tidegauge_sampler_failures", "Calls that failed", labels=["sampler"])
        if site:
            silent_s = site.publisher.silent_s
            yield GaugeMetricFamily("tidegauge_feed_age_seconds", "Since the publisher's last round", silent_s)
            yield CounterMetricFamily("tidegauge_publisher_cpu_seconds", "Of its thread", site.publisher.cpu_s)
            for one in site.samplers.states:
                failures.add_metric([one.sampler.name], one.failures)
        yield failures
