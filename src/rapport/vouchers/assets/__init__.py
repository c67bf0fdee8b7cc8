"""Images of codes: a QR code and a barcode, which anybody may see who was given their address."""
