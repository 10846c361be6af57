"""The tables of the SQLite journal, and the way from every earlier version of them to the newest.

Measured on two cores with 1,000 series and a million samples in the file: with SQLite's own index on series a push of
batches took 88 to 133 thousand samples a second, without one 160 to 257 thousand. Hence the runs (series_index.py).
"""

import apsw

# One for each version. None is changed after a release: a journal may have been made by it.
MIGRATIONS = (
    """
    CREATE TABLE journal (            -- one row
        epoch   TEXT NOT NULL,
        samples INTEGER NOT NULL,     -- kept now
        horizon INTEGER NOT NULL      -- the newest seq that is no longer kept
    );
    INSERT INTO journal VALUES ('', 0, 0);

    CREATE TABLE series (
        id   INTEGER PRIMARY KEY,
        name TEXT UNIQUE              -- NULL: deleted; its samples go with their age
    );

    CREATE TABLE sample (
        seq    INTEGER PRIMARY KEY,
        series INTEGER NOT NULL,
        time   INTEGER NOT NULL,      -- ms since the Unix epoch
        value  REAL                   -- NULL: a gap
    );
    CREATE INDEX sample_by_series ON sample (series);  -- and by seq: every index ends in the primary key

    CREATE TABLE batch (              -- what was appended at once
        last_seq  INTEGER PRIMARY KEY,
        first_seq INTEGER NOT NULL,
        at        INTEGER NOT NULL,   -- when it was committed, ms since the Unix epoch
        checksum  INTEGER NOT NULL,   -- over its samples; see checksums.py
        push      BLOB                -- a hash of the request, NULL where repeats are not looked for
    );
    CREATE TABLE damage (             -- batches that failed their check; left out, not deleted
        first_seq INTEGER PRIMARY KEY,
        last_seq  INTEGER NOT NULL,
        at        INTEGER NOT NULL    -- when it was found, ms since the Unix epoch
    );
    CREATE INDEX batch_by_push ON batch (last_seq) WHERE push IS NOT NULL;
    """,
    """
    CREATE TABLE unit (               -- of values, as agents say it
        name TEXT PRIMARY KEY,        -- of a series
        unit TEXT NOT NULL
    );
    """,
    """
    DROP INDEX sample_by_series;
    CREATE TABLE run (                -- the index of a range of samples; see series_index.py
        last_seq   INTEGER PRIMARY KEY,
        first_seq  INTEGER NOT NULL,
        first_time INTEGER NOT NULL,  -- the lowest
        last_time  INTEGER NOT NULL   -- the highest
    );
    CREATE TABLE slice (              -- of a run, by series
        run     INTEGER NOT NULL,     -- its last_seq
        highest INTEGER NOT NULL,     -- series
        series  BLOB NOT NULL,        -- of each sample, rising; 4 bytes each, little-endian
        seqs    BLOB NOT NULL,        -- of each sample, less the run's first_seq; within a series they rise
        PRIMARY KEY (run, highest)
    );
    """,
)


LAST = 100  # no release has a version above it: such a number is damage


class FromNewerRelease(apsw.Error):
    """The file has a version that this release does not know."""


def migrate(db: apsw.Connection) -> None:
    """Bring the tables to the newest version, in one transaction for each version.

    Raises:
        FromNewerRelease: nothing was changed.
        apsw.Error: the file is none of ours.
    """
    version = db.pragma("user_version")
    if version > LAST:
        raise apsw.CorruptError(f"its version is {version}")
    if version > len(MIGRATIONS):
        raise FromNewerRelease(f"the file has version {version}, this release knows versions up to {len(MIGRATIONS)}")
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        with db:
            db.execute(migration)
            db.pragma("user_version", number)
