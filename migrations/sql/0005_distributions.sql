CREATE TABLE distributions (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    trigger_type text COLLATE "C" NOT NULL CHECK (trigger_type IN ('customer.segment.entered', 'customer.custom_event')),
    -- What the trigger is about: the one that belongs to its type.
    segment_id text COLLATE "C",
    event text COLLATE "C",
    campaign_id text COLLATE "C",
    channel text COLLATE "C" NOT NULL CHECK (channel = 'email'),
    subject text COLLATE "C" NOT NULL,
    text_template text COLLATE "C",
    html_template text COLLATE "C",
    sender text COLLATE "C",
    reply_to text COLLATE "C",
    active boolean NOT NULL,
    -- Entries of the activity log fire it if they are of a later transaction than the one that last made it active.
    active_from xid8 NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    -- Gone for users; its messages stay.
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id),
    CHECK ((segment_id IS NOT NULL) = (trigger_type = 'customer.segment.entered')),
    CHECK ((event IS NOT NULL) = (trigger_type = 'customer.custom_event')),
    CHECK (text_template IS NOT NULL OR html_template IS NOT NULL)
);
CREATE INDEX distributions_by_created_at ON distributions (project_id, created_at, id);
CREATE INDEX distributions_listening ON distributions (project_id, active_from) WHERE active AND deleted_at IS NULL;
CREATE INDEX distributions_of_segment ON distributions (project_id, segment_id) WHERE segment_id IS NOT NULL;

-- How far a reader of the activity log has come in a project; everything up to here has been dealt with.
CREATE TABLE activity_readers (
    project_id integer NOT NULL,
    name text COLLATE "C" NOT NULL,
    xid xid8 NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (project_id, name)
);

-- No foreign key to distributions: a burst of messages would lock the one row again and again.
CREATE TABLE messages (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    distribution_id text COLLATE "C" NOT NULL,
    -- The entry of the activity log that caused it.
    trigger_id text COLLATE "C" NOT NULL,
    trigger_type text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL
        CHECK (state IN ('QUEUED', 'PREPARING', 'SENDING', 'SENT', 'FAILED', 'UNCERTAIN', 'CANCELED')),
    -- Grows with every claim: whoever works on a message names the attempt, and a newer one shuts them out.
    attempts integer NOT NULL DEFAULT 0,
    -- Temporary failures since it was queued by the trigger or by a person.
    failures integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    lease_until timestamptz,
    -- What was, or is about to be, handed over.
    provider text COLLATE "C",
    campaign_id text COLLATE "C",
    publication_id text COLLATE "C",
    voucher_code text COLLATE "C",
    sender text COLLATE "C",
    recipient text COLLATE "C",
    subject text COLLATE "C",
    text_body text COLLATE "C",
    html_body text COLLATE "C",
    message_id text COLLATE "C",
    error_key text COLLATE "C",
    error_message text COLLATE "C",
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (project_id, id),
    -- The promise: at most one for each of these.
    UNIQUE (project_id, distribution_id, trigger_id, customer_id, channel),
    CHECK ((state = 'QUEUED') = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('PREPARING', 'SENDING')) = (lease_until IS NOT NULL))
);
CREATE INDEX messages_due ON messages (project_id, next_attempt_at) WHERE state = 'QUEUED';
CREATE INDEX messages_leased ON messages (project_id, lease_until) WHERE state IN ('PREPARING', 'SENDING');
CREATE INDEX messages_of_distribution ON messages (project_id, distribution_id, created_at, id);
CREATE INDEX messages_of_customer ON messages (project_id, customer_id, created_at, id);
