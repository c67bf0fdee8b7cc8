-- No foreign key to projects here: each write would lock the one row of its project.

-- The activity log: everything that happened. For one customer in the order of seq, which is drawn under the customer's
-- lock; readers of all of it go by (xid, seq) below the oldest running transaction, and miss nothing.
CREATE TABLE activity (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    campaign_id text COLLATE "C",
    payload jsonb NOT NULL,
    source jsonb NOT NULL,
    group_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX activity_in_order ON activity (project_id, xid, seq);
CREATE INDEX activity_of_customer ON activity (project_id, customer_id, created_at, seq) WHERE customer_id IS NOT NULL;

CREATE TABLE customers (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    source_id text COLLATE "C",
    name text COLLATE "C",
    description text COLLATE "C",
    email text COLLATE "C",
    phone text COLLATE "C",
    birthdate date,
    address jsonb NOT NULL,
    metadata jsonb NOT NULL,
    system_metadata jsonb NOT NULL,
    source text COLLATE "C" NOT NULL,
    orders_count bigint NOT NULL,
    orders_amount bigint NOT NULL,
    last_order_id text COLLATE "C",
    last_order_amount bigint,
    last_order_at timestamptz,
    last_order_products jsonb NOT NULL,
    redemptions jsonb NOT NULL,
    loyalty jsonb NOT NULL,
    referrals jsonb NOT NULL,
    events jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, source_id)
);
CREATE INDEX customers_by_created_at ON customers (project_id, created_at, id);
CREATE INDEX customers_by_updated_at ON customers (project_id, updated_at, id);
CREATE INDEX customers_by_email ON customers (project_id, email) WHERE email IS NOT NULL;
CREATE INDEX customers_by_name ON customers (project_id, name) WHERE name IS NOT NULL;
CREATE INDEX customers_by_city ON customers (project_id, (address ->> 'city')) WHERE (address ->> 'city') IS NOT NULL;
-- For the passing of time: who has a date between two moments.
CREATE INDEX customers_by_last_order_at ON customers (project_id, last_order_at, id) WHERE last_order_at IS NOT NULL;
CREATE INDEX customers_by_birthdate ON customers (project_id, birthdate, id) WHERE birthdate IS NOT NULL;
CREATE INDEX customers_by_birth_month ON customers (project_id, (EXTRACT(MONTH FROM birthdate)), id)
    WHERE birthdate IS NOT NULL;

-- Custom events. The key is also the index that counts them in a window.
CREATE TABLE events (
    project_id integer NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    id text COLLATE "C" NOT NULL,
    metadata jsonb NOT NULL,
    PRIMARY KEY (project_id, customer_id, name, created_at, id)
);
CREATE INDEX events_by_created_at ON events (project_id, name, created_at, customer_id);

CREATE TABLE orders (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    source_id text COLLATE "C",
    status text COLLATE "C" NOT NULL CHECK (status IN ('CREATED', 'PAID', 'CANCELED', 'FULFILLED')),
    customer_id text COLLATE "C",
    referrer_id text COLLATE "C",
    -- Minor units. amount: the sum of the items; total_amount: what is paid, after the discounts.
    amount bigint NOT NULL,
    initial_amount bigint,
    discount_amount bigint NOT NULL,
    total_amount bigint NOT NULL,
    applied_discount_amount bigint NOT NULL,
    items jsonb NOT NULL,
    metadata jsonb NOT NULL,
    -- {"r_…": {"date", "rollback_id", "rollback_date", "related_object_type", …}} as the API shows it.
    redemptions jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, source_id)
);
CREATE INDEX orders_by_created_at ON orders (project_id, created_at, id);
CREATE INDEX orders_by_updated_at ON orders (project_id, coalesce(updated_at, created_at), id);
CREATE INDEX orders_counted_of_customer ON orders (project_id, customer_id, created_at, id)
    WHERE status IN ('PAID', 'FULFILLED');
CREATE INDEX orders_counted_by_created_at ON orders (project_id, created_at, customer_id)
    WHERE status IN ('PAID', 'FULFILLED');
