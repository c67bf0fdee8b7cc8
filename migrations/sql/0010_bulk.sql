-- Bulk updates; orders and events from files.
SELECT;
