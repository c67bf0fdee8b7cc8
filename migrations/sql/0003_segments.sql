CREATE TABLE segments (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type IN ('static', 'auto-update', 'passive')),
    filter jsonb,
    -- How many conditions the filter has.
    conditions integer NOT NULL,
    -- building: writers already keep it; customers they do not touch are filled in by the worker, from built_to on.
    state text COLLATE "C" NOT NULL CHECK (state IN ('building', 'live', 'deleted')),
    -- deleted: gone for users and writers; the worker removes the members and then the row.
    -- Back-fill and removal start once every transaction older than this is over.
    settled_after xid8,
    built_to text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX segments_by_created_at ON segments (project_id, created_at, id);
CREATE INDEX segments_unsettled ON segments (project_id, created_at) WHERE state <> 'live';

-- No foreign key to segments: each entering would lock the segment's row. Rows of a segment are removed before it is, when
-- no transaction is left that could add one.
CREATE TABLE segment_members (
    project_id integer NOT NULL,
    segment_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    entered_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, segment_id, customer_id)
);
CREATE INDEX segment_members_of_customer ON segment_members (project_id, customer_id, segment_id);
