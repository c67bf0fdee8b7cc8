-- Units that validation sessions hold back of a limit on discounted units; the key names the limit as that of
-- rule_counters does. Those of one customer, who have no row there, have one here.
CREATE TABLE unit_locks (
    project_id integer NOT NULL,
    object_id text COLLATE "C" NOT NULL,
    counted_by text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    session_key text COLLATE "C" NOT NULL,
    redeemable_id text COLLATE "C" NOT NULL,
    units bigint NOT NULL CHECK (units > 0),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, object_id, counted_by, name, period, session_key, redeemable_id)
);
CREATE INDEX unit_locks_of_session ON unit_locks (project_id, session_key);
CREATE INDEX unit_locks_by_end ON unit_locks (expires_at);
CREATE INDEX unit_locks_of_redeemable ON unit_locks (project_id, redeemable_id);
