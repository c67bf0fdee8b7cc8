"""What is stored of membership, as the write path reads and writes it."""
