"""Files of vouchers."""
