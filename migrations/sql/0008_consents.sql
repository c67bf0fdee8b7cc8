-- Consents, devices, marketing interaction and in-store activity of a customer.

-- What filters see stands in the customer's row, in the shape that the API shows.
ALTER TABLE customers
    ADD COLUMN consents jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN devices jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN marketing jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN in_store jsonb NOT NULL DEFAULT '{}';

-- What customers can be asked for. Consent to nothing at all, `unsubscribed`, every project has without a row.
CREATE TABLE consents (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    category text COLLATE "C",
    description text COLLATE "C",
    -- The channels it can be given for; NULL: any.
    channels jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    -- Gone for users; what was said stays with those who said it.
    deleted_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX consents_by_name ON consents (project_id, name) WHERE deleted_at IS NULL;

-- Everything that was ever said about consents; never changed.
CREATE TABLE consent_changes (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    customer_id text COLLATE "C" NOT NULL,
    consent_id text COLLATE "C" NOT NULL,
    -- NULL: on every channel.
    channel text COLLATE "C",
    given boolean NOT NULL,
    -- When it was said, and when it became known here.
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- False: something newer was known already.
    applied boolean NOT NULL,
    -- How it was said, in the shop's words.
    source text COLLATE "C",
    proof jsonb,
    -- Who told us: as in the activity log.
    event_source jsonb NOT NULL,
    group_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX consent_changes_of_customer ON consent_changes (project_id, customer_id, recorded_at, seq);

CREATE TABLE devices (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    platform text COLLATE "C" NOT NULL,
    channel text COLLATE "C",
    token text COLLATE "C",
    app_version text COLLATE "C",
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, token)
);
CREATE INDEX devices_of_customer ON devices (project_id, customer_id, last_seen_at, id);

-- What became of messages, ours and those that others sent. The id is the one of who tells us: told twice, it counts once.
CREATE TABLE interactions (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    bounce text COLLATE "C",
    message_id text COLLATE "C",
    metadata jsonb NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX interactions_of_customer ON interactions (project_id, customer_id, at, id);

-- Where it happened: {"id", "source_id", "name"}.
ALTER TABLE events ADD COLUMN location jsonb;
ALTER TABLE orders ADD COLUMN location jsonb;
CREATE INDEX orders_in_store ON orders (project_id, customer_id)
    WHERE location IS NOT NULL AND status IN ('PAID', 'FULFILLED');

-- The consent that a distribution's customers must have given; NULL: none.
ALTER TABLE distributions ADD COLUMN consent_id text COLLATE "C";
CREATE INDEX distributions_of_consent ON distributions (project_id, consent_id) WHERE consent_id IS NOT NULL;
