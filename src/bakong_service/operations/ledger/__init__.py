"""Moves value between ledger accounts, and keeps the users' credit."""
