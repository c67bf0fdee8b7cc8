-- Exports.
SELECT;
