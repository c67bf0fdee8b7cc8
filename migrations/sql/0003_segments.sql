CREATE TABLE segments (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type IN ('static', 'auto-update', 'passive')),
    filter jsonb,
    -- How many conditions the filter has, and which segments it names.
    conditions integer NOT NULL,
    names text[] COLLATE "C" NOT NULL,
    -- projects.segments_version at the last change of this row that writers have to know of.
    version bigint NOT NULL,
    -- A row that users do not see: it builds the members by a new filter of the segment that is named here.
    replaces text COLLATE "C",
    -- building: writers already keep it; customers they do not touch are filled in by the worker, from built_to on.
    -- sweeping: filled, and live for everybody; the decisions "out" are still to be removed.
    -- switching: has a new filter; customers whose membership differs by it change over one by one.
    -- ready: a row that replaces another is filled.
    -- deleted: gone for users and writers; the worker removes the members and then the row.
    state text COLLATE "C" NOT NULL
        CHECK (state IN ('building', 'sweeping', 'live', 'switching', 'ready', 'deleted')),
    -- The worker's next step starts once every transaction older than this is over.
    settled_after xid8,
    built_to text COLLATE "C",
    -- How many customers the back-fill has gone through, of how many when it began.
    built_count bigint NOT NULL DEFAULT 0,
    build_total bigint,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX segments_by_created_at ON segments (project_id, created_at, id);
CREATE INDEX segments_by_version ON segments (project_id, version);
CREATE INDEX segments_unsettled ON segments (project_id, created_at) WHERE state <> 'live';
CREATE UNIQUE INDEX segments_replacing ON segments (project_id, replaces) WHERE replaces IS NOT NULL AND state <> 'deleted';
CREATE INDEX segments_naming ON segments USING gin (names) WHERE names <> '{}';

-- No foreign key to segments: each entering would lock the segment's row. Rows of a segment are removed before it is, when
-- no transaction is left that could add one.
CREATE TABLE segment_members (
    project_id integer NOT NULL,
    segment_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    -- NULL: not a member, decided by a writer while the segment is filled; the back-fill may know less.
    entered_at timestamptz,
    -- Whether customer.segment.entered is in the log, so that customer.segment.left has to follow.
    logged boolean NOT NULL,
    PRIMARY KEY (project_id, segment_id, customer_id)
);
CREATE INDEX segment_members_of_customer ON segment_members (project_id, customer_id, segment_id);

-- Memberships that have ended, of all types of segment.
CREATE TABLE segment_past (
    project_id integer NOT NULL,
    segment_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    entered_at timestamptz NOT NULL,
    left_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, segment_id, customer_id, seq)
);
CREATE INDEX segment_past_of_customer ON segment_past (project_id, customer_id, segment_id, seq);
CREATE INDEX segment_past_by_left_at ON segment_past (project_id, segment_id, left_at, seq);

-- Up to which moment the passing of time has been dealt with; also how a clock that was moved back is noticed.
CREATE TABLE segment_ticks (
    project_id integer PRIMARY KEY,
    ticked_to timestamptz NOT NULL
);

-- The dates in fields that are no column of their own, for the fields that a segment compares with the clock. May hold a
-- value that the customer has no more, never lacks one. A day stands as its midnight in UTC.
CREATE TABLE segment_moments (
    project_id integer NOT NULL,
    field text COLLATE "C" NOT NULL,
    is_day boolean NOT NULL,
    at timestamptz NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    -- Whether it was later than the clock when it was written.
    ahead boolean NOT NULL,
    PRIMARY KEY (project_id, field, is_day, at, customer_id)
);
CREATE INDEX segment_moments_of_customer ON segment_moments (project_id, customer_id);
CREATE INDEX segment_moments_ahead ON segment_moments (project_id, customer_id, at) WHERE ahead;

-- What the self-audit has compared so far, and where stored membership differed from the filter on the data.
CREATE TABLE segment_audits (
    project_id integer PRIMARY KEY,
    checked bigint NOT NULL,
    drifted bigint NOT NULL,
    last_at timestamptz NOT NULL,
    last_drift jsonb
);
