-- Budgets of attempts to find codes: see http/attempts/budgets.py. A row is there only while a budget is not full; it is
-- written only when an attempt failed. No foreign key: it would lock the project's row each time.
CREATE TABLE failed_attempts (
    project_id integer NOT NULL,
    -- SHA-256 of what is counted: an address, an API key, a customer.
    subject bytea NOT NULL,
    -- When the budget will be full again.
    full_at timestamptz NOT NULL,
    -- By how much the last attempt put that off.
    cost interval NOT NULL,
    PRIMARY KEY (project_id, subject)
);
CREATE INDEX failed_attempts_by_full_at ON failed_attempts (project_id, full_at);
