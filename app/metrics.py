"""Figures of Tidegauge itself for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from collections.abc import Iterator
from time import monotonic

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from app import vitals
from app.guard import current_house, is_from_loopback, pusher
from app.house import House

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Send all metrics as text; to loopback, and to who brings a push token."""
    if not is_from_loopback():
        pusher()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HouseCollector(current_house()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class HouseCollector:
    """Reads the house when it is scraped."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        house, state = self._house, self._house.journal.state()
        yield GaugeMetricFamily("tidegauge_ready", "1 if readiness passes", float(not house.unready()))
        yield GaugeMetricFamily(
            "tidegauge_up_seconds", "Since this process began to serve", monotonic() - house.started_at
        )
        if (answered := vitals.requests()) is not None:
            yield CounterMetricFamily("tidegauge_python_requests", "That reached Python (mod_wsgi)", answered)
        yield GaugeMetricFamily("tidegauge_series", "Series with a window", len(house.hub))
        yield CounterMetricFamily("tidegauge_samples", "Samples kept by this process", house.hub.kept)
        yield CounterMetricFamily("tidegauge_samples_refused", "By the cap on series", house.hub.refused)
        for name in ("samples", "bytes", "horizon"):
            if name in state:
                yield GaugeMetricFamily(f"tidegauge_journal_{name}", f"The journal's {name}", float(str(state[name])))
        commits = SummaryMetricFamily("tidegauge_commit_seconds", "Commits of the journal")
        commits.add_metric([], count_value=house.journal.commits, sum_value=house.journal.commit_s)
        yield commits
        yield from house.pushes.collect()
        yield GaugeMetricFamily(
            "tidegauge_feed_age_seconds", "Since the publisher's last round", house.publisher_silent_s
        )
        yield CounterMetricFamily("tidegauge_publisher_cpu_seconds", "Of its thread", house.publisher_cpu_s)
        failures = CounterMetricFamily("tidegauge_sampler_failures", "Calls that failed", labels=["sampler"])
        for one in house.sampler_states:
            failures.add_metric([one.sampler.name], one.failures)
        yield failures
