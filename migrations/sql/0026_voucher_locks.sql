-- A session that begins anew lets go of all that it held.
CREATE INDEX voucher_locks_of_session ON voucher_locks (project_id, session_key);
