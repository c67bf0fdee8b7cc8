-- Back-tests: a draft of rules and of a discount, replayed by the worker over stored orders in the order of their time.
CREATE TABLE backtests (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    async_action_id text COLLATE "C" NOT NULL,
    -- Checked and complete: see backtests/models.py. It does not follow later changes of a validation rule.
    draft jsonb NOT NULL,
    -- The campaign that it is compared with.
    campaign_id text COLLATE "C",
    campaign text COLLATE "C",
    statuses text[] NOT NULL,
    since timestamptz,
    until timestamptz NOT NULL,
    -- The last order that was replayed; how many there are, NULL until they were counted.
    cursor_at timestamptz,
    cursor_id text COLLATE "C",
    orders_total bigint,
    is_replayed boolean NOT NULL DEFAULT false,
    -- What was counted so far: see backtests/tally.py. Its size does not grow with the orders.
    tally jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (project_id, id),
    CHECK ((cursor_at IS NULL) = (cursor_id IS NULL)),
    CHECK (finished_at IS NULL OR is_replayed)
);
CREATE INDEX backtests_by_created_at ON backtests (project_id, created_at, id);

-- What the draft itself would have counted, while it is replayed; removed at the end. counted_by and name as in
-- rule_counters, and 'seen' for each customer of the replay: number is 1 once one of their orders qualified.
CREATE TABLE backtest_counts (
    project_id integer NOT NULL,
    backtest_id text COLLATE "C" NOT NULL,
    counted_by text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    orders_amount bigint NOT NULL,
    discount_amount bigint NOT NULL,
    PRIMARY KEY (project_id, backtest_id, counted_by, name, period),
    FOREIGN KEY (project_id, backtest_id) REFERENCES backtests (project_id, id) ON DELETE CASCADE
);
CREATE INDEX backtest_counts_of_customer ON backtest_counts (project_id, name) WHERE counted_by IN ('customer', 'seen');

-- Some of the orders with what became of them, kept with the back-test. Gone with the person.
CREATE TABLE backtest_samples (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    backtest_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('qualified', 'refused', 'compared')),
    order_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, backtest_id) REFERENCES backtests (project_id, id) ON DELETE CASCADE
);
CREATE INDEX backtest_samples_of_backtest ON backtest_samples (project_id, backtest_id, created_at, id);
CREATE INDEX backtest_samples_of_customer ON backtest_samples (project_id, customer_id, created_at, id)
    WHERE customer_id IS NOT NULL;
