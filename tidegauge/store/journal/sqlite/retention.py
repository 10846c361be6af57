"""What is kept: samples go by the age of their arrival, and by their number."""

from dataclasses import dataclass

import apsw

from tidegauge.store.journal.sqlite.database import transaction

TRIMMED_SAMPLES = 2_000  # removed in one transaction, so that no push waits for long
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Retention:
    """How much is kept: samples that arrived in the last ``days``, and at most ``samples``."""

    days: float = 7
    samples: int = 50_000_000


def trim(db: apsw.Connection, retention: Retention, kept: int, now_ms: int) -> tuple[int, int]:
    """Remove the oldest batches past *retention*, a few of them.

    Args:
        kept: how many samples there are.
        now_ms: the time, by the clock that gave the batches their time of arrival.

    Returns:
        How many were removed, and the last ``seq`` of those; (0, 0): nothing is past it.
    """
    oldest_ms = now_ms - round(retention.days * DAY_MS)
    excess = kept - retention.samples
    to = removed = 0
    # The last batch stays: it tells where the numbers stand. What is damaged need be no number; it goes as the oldest.
    query = """
        SELECT last_seq, CASE WHEN first_seq BETWEEN 1 AND last_seq THEN first_seq ELSE last_seq END,
            CASE typeof(at) WHEN 'integer' THEN at ELSE 0 END
        FROM batch WHERE last_seq < ? ORDER BY last_seq LIMIT 500
    """
    [(newest,)] = db.execute("SELECT max(last_seq) FROM batch")
    for last, first, at in db.execute(query, (newest,)):
        if removed >= TRIMMED_SAMPLES or (at >= oldest_ms and removed >= excess):
            break
        to, removed = last, removed + last - first + 1
    if not to:
        return 0, 0
    with transaction(db):
        db.execute("DELETE FROM sample WHERE seq <= ?", (to,))
        removed = db.changes()
        db.execute("DELETE FROM batch WHERE last_seq <= ?", (to,))
        db.execute("DELETE FROM run WHERE last_seq <= ?", (to,))
        db.execute("DELETE FROM slice WHERE run <= ?", (to,))
        db.execute("DELETE FROM damage WHERE last_seq <= ?", (to,))
        db.execute("UPDATE journal SET samples = samples - ?, horizon = ?", (removed, to))
    return removed, to
