-- Metadata schemas and event schemas.
SELECT;
