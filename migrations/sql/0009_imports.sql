-- Imports of files.
SELECT;
