"""Marketing interaction: what became of the messages that a customer was sent, by channel."""
