"""Makes, settles, reviews and refunds payments, takes hints about them, and reads them for their callers."""
