"""Sells, renews, changes, cancels, ends and reverses subscriptions, and keeps the plans."""
