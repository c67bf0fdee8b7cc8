-- Exports: what was asked for, and the files, in pieces, so that any API process can hand out what any worker wrote.

-- One row for each project that ever exported: claims, new exports and erasures of people take turns by its lock.
CREATE TABLE export_gates (
    project_id integer PRIMARY KEY REFERENCES projects
);

CREATE TABLE exports (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    exported_object text COLLATE "C" NOT NULL,
    -- Checked and complete: fields, order, filters, and the segment or campaign where there is one.
    parameters jsonb NOT NULL,
    channel text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('SCHEDULED', 'IN_PROGRESS', 'DONE', 'ERROR')),
    -- Grows with every claim, and with whatever takes the work away: who writes names the attempt.
    attempt integer NOT NULL DEFAULT 0,
    -- Attempts that came to nothing.
    failures integer NOT NULL DEFAULT 0,
    -- By the database's own clock, not the shifted one: when its turn comes, and until when its worker is believed.
    next_attempt_at timestamptz,
    lease_until timestamptz,
    -- Rows and bytes of the file; why there is none any more; what went wrong.
    row_count bigint NOT NULL DEFAULT 0,
    byte_count bigint NOT NULL DEFAULT 0,
    file_state text COLLATE "C" CHECK (file_state IN ('AVAILABLE', 'EXPIRED', 'ERASED')),
    error text COLLATE "C",
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (project_id, id),
    CHECK ((status = 'SCHEDULED') = (next_attempt_at IS NOT NULL)),
    CHECK ((status = 'IN_PROGRESS') = (lease_until IS NOT NULL)),
    CHECK ((status = 'DONE') = (file_state IS NOT NULL))
);
CREATE INDEX exports_by_created_at ON exports (project_id, created_at, id);
CREATE INDEX exports_unfinished ON exports (project_id, created_at, id) WHERE status IN ('SCHEDULED', 'IN_PROGRESS');
CREATE INDEX exports_with_file ON exports (project_id, expires_at) WHERE file_state = 'AVAILABLE';

CREATE TABLE export_chunks (
    project_id integer NOT NULL,
    export_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    number integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (project_id, export_id, attempt, number)
);
-- Compressing costs more time than the disk it saves: files are removed after days.
ALTER TABLE export_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
