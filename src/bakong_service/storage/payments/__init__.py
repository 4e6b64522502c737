"""Rows of payments, receipts, review items and effects; the watcher's claims; and a day's reconciliation."""
