"""The ledger of gift cards: every change of a balance, made together with it."""
