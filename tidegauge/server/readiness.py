"""Whether this process should get traffic, and what is wrong with it all the same."""

from tidegauge.server.owner import Owner
from tidegauge.server.site import SILENT_S

LOCK_S = 1.0  # the hub's lock is held for less than a millisecond


def reasons_against(owner: Owner) -> list[str]:
    """Return the reasons for which this process should get no traffic now; [] when it should."""
    site = owner.site_if_built
    if site is None:
        return [owner.building]
    reasons = []
    with owner.hub.windows.lock_within(LOCK_S) as obtained:
        if not obtained:
            reasons.append(f"the hub's lock was not obtained in {LOCK_S:g} s")
    if problem := owner.hub.journal.problem:
        reasons.append(f"the journal cannot keep samples: {problem}")
    if behind := owner.hub.journal.behind:
        reasons.append(f"the journal may show less than others do: {behind}")
    if (silent_s := site.publisher.silent_s) > SILENT_S:
        why = f": {site.publisher.problem}" if site.publisher.problem else ""
        reasons.append(f"the publisher has been silent for {silent_s:.0f} s{why}")
    if (silent_s := site.samplers.silent_s) > SILENT_S:
        reasons.append(f"all samplers have been silent for {silent_s:.0f} s")
    return reasons


def troubles(owner: Owner, *, is_shown: bool) -> list[str]:
    """Return what is wrong without making this process unready: dashboards and samplers, by name.

    Where *is_shown* is false, errors of the user's own code are references to the log.
    """
    lost = [f"journal: {what}" for what in owner.hub.journal.losses]
    if (site := owner.site_if_built) is None:
        return lost
    broken = [one for one in site.dashboards.values() if one.problem]
    samplers = site.samplers.troubles(is_shown=is_shown)
    return [
        *lost,
        *(f"dashboard {one.name}: {one.problem_for(is_shown=is_shown)}" for one in broken),
        *(f"sampler {name}: {why}" for name, why in samplers.items()),
    ]
