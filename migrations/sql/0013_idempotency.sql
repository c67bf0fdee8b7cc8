-- Idempotency keys and the trash bin.
SELECT;
