"""Using vouchers and gift cards, and giving the use back: the counter, the balance and the ledger move together."""
