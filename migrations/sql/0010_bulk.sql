-- Bulk updates; orders and events that are brought in.

-- What one request of that kind asks for, one row a thing, and what came of it: that is its report, too.
CREATE TABLE bulk_items (
    project_id integer NOT NULL,
    action_id text COLLATE "C" NOT NULL,
    -- Its place in the request, from 1.
    number integer NOT NULL,
    -- What is to be done; NULL as soon as it is over.
    input jsonb,
    status text COLLATE "C" NOT NULL CHECK (status IN ('WAITING', 'DONE', 'FAILED')),
    -- Of the customer or order, as the request names it.
    source_id text COLLATE "C",
    -- What it became: a customer, an order or an event; and whose it is.
    object_id text COLLATE "C",
    customer_id text COLLATE "C",
    found boolean,
    updated boolean,
    -- {"key", "message", "details"}
    error jsonb,
    PRIMARY KEY (project_id, action_id, number),
    FOREIGN KEY (project_id, action_id) REFERENCES async_actions ON DELETE CASCADE,
    CHECK ((status = 'WAITING') = (input IS NOT NULL))
);
CREATE INDEX bulk_items_waiting ON bulk_items (project_id, action_id) WHERE status = 'WAITING';
CREATE INDEX async_actions_over ON async_actions (project_id, updated_at) WHERE status IN ('DONE', 'FAILED');
