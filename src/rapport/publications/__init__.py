"""Publications: giving a customer a code of their own."""
