"""Rows of subscriptions, their periods and plans."""
