-- Whose a line of the ledger was, once nothing tells who that is: the same for all lines of one person, and random.
ALTER TABLE redemptions ADD COLUMN former_customer text COLLATE "C";
