"""Rows of the ledger: entries and balances, and the check of what running periods hold."""
