"""Recording of streams that vendors' clients return, whatever the vendor."""
