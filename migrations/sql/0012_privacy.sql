-- Permanent deletion, access requests, merges of customers.
SELECT;
