-- Whether a formula names how often the campaign was redeemed: then that is counted, as if a rule asked for it
-- (rules/budgets.py). Set only under the lock that shuts the project's redemptions out.
ALTER TABLE campaigns ADD COLUMN formulas_count boolean NOT NULL DEFAULT false;
