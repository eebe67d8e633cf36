-- The fleet: who is there, what is to be done, what is wanted of a run, and what is told of it.
-- Whether a member lives is a matter of this database's clock alone.

CREATE TABLE members (
    id      TEXT COLLATE "C" PRIMARY KEY,               -- never used twice
    name    TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,                  -- core.fleet.MemberKind
    site    TEXT COLLATE "C" NOT NULL,
    mounts  INTEGER NOT NULL,
    host    TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    knows   INTEGER NOT NULL,               -- the newest schema that its program knows
    home    TEXT COLLATE "C" NOT NULL,                  -- whose state folder it has; another one's: it is dead
    lease   DOUBLE PRECISION NOT NULL,      -- seconds without a renewal after which it is dead
    state   TEXT COLLATE "C" NOT NULL,                  -- core.fleet.MemberState
    heir    TEXT COLLATE "C" NOT NULL DEFAULT '',       -- who clears up after a dead one
    passed_by TEXT[] COLLATE "C" NOT NULL DEFAULT '{}', -- who could not clear up after it
    started TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    seen    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    files_per_second DOUBLE PRECISION NOT NULL DEFAULT 0,   -- as it said when it was last seen
    bytes_per_second DOUBLE PRECISION NOT NULL DEFAULT 0
);
CREATE INDEX members_living ON members (state) WHERE state <> 'gone';

CREATE VIEW living AS
SELECT id, name, kind, site, state FROM members
WHERE state IN ('serving', 'draining') AND seen > clock_timestamp() - make_interval(secs => lease);

CREATE TABLE units (
    run      TEXT COLLATE "C" NOT NULL,                 -- no reference: it is asked for by name
    group_id TEXT COLLATE "C" NOT NULL,
    vm       TEXT COLLATE "C" NOT NULL,
    server   TEXT COLLATE "C" NOT NULL,
    position INTEGER NOT NULL,
    sites    TEXT[] COLLATE "C" NOT NULL,               -- in order; empty: every site
    seats    JSONB NOT NULL,                -- what its mount takes a part of, and how many each carries
    route    TEXT COLLATE "C" NOT NULL,                 -- by which it waits, while no seat of its own is full
    content  TEXT COLLATE "C" NOT NULL,                 -- the plan of its run with this group alone
    state    TEXT COLLATE "C" NOT NULL,                 -- core.fleet.UnitState
    member   TEXT COLLATE "C" NOT NULL DEFAULT '',      -- who has it
    number   INTEGER NOT NULL DEFAULT 0,    -- the lease number: another each time it is given out or taken away
    refusals JSONB NOT NULL DEFAULT '{}',   -- why which members could not do it
    unserved TIMESTAMPTZ,                   -- since when there has been nobody who can take it
    PRIMARY KEY (run, group_id)
);
CREATE INDEX units_taken ON units (member) WHERE state = 'taken';

-- What waits lies in the queue (unit_queue) besides, and each unit there by a route. Units of one route are alike in what
-- decides whether a worker may have one now. So that is asked for each route and not for each unit, and the queue says
-- which unit comes next.
CREATE TABLE routes (
    id      TEXT COLLATE "C" PRIMARY KEY,
    run     TEXT COLLATE "C" NOT NULL,
    sites   TEXT[] COLLATE "C" NOT NULL,                -- of each of its units
    seats   JSONB NOT NULL,                 -- no unit of it is given out while one of these is full: see routes.py
    refused TEXT[] COLLATE "C" NOT NULL                 -- the workers that could not do them
);
CREATE INDEX routes_of_run ON routes (run);

-- Whose mounts count: those that may be open, and those that a unit with a worker is going to make.
CREATE VIEW holding AS
SELECT run, group_id FROM units WHERE state = 'taken' AND NOT EXISTS (
    SELECT 1 FROM leases JOIN runs ON runs.key = leases.run
    WHERE runs.id = units.run AND leases.group_id = units.group_id
      AND leases.state IN ('intended', 'requested', 'held')
)
UNION ALL
SELECT runs.id, leases.group_id FROM leases JOIN runs ON runs.key = leases.run
WHERE leases.state IN ('intended', 'requested', 'held', 'left');

CREATE VIEW seats_used AS
SELECT seat, count(*) AS number
FROM holding JOIN units USING (run, group_id), jsonb_object_keys(units.seats) AS seat GROUP BY seat;

CREATE TABLE orders (
    run       TEXT COLLATE "C" PRIMARY KEY,
    submitter TEXT COLLATE "C" NOT NULL,
    draining  BOOLEAN NOT NULL DEFAULT false,
    cancelled BOOLEAN NOT NULL DEFAULT false,
    paused    BOOLEAN NOT NULL DEFAULT false,
    held      BOOLEAN NOT NULL DEFAULT false,           -- nothing new is given out
    by_hand   JSONB NOT NULL DEFAULT '[]',              -- limits changed by hand: lists of what, run, backup server, value
    mounts    INTEGER,                                  -- those of the run; NULL: as many as there is room for
    mounts_of_all INTEGER                               -- those of all runs instead of the config's
);

-- What counts of all mounts instead of the config: the least of what was changed by hand for runs that have something to do.
CREATE VIEW wanted AS
SELECT min(mounts_of_all) AS mounts FROM orders WHERE EXISTS (
    SELECT 1 FROM units WHERE units.run = orders.run AND units.state <> 'over'
);

CREATE TABLE told (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run    TEXT COLLATE "C" NOT NULL,
    event  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX told_of_run ON told (run, number);
