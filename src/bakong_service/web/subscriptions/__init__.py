"""Subscriptions, plans and credit over HTTP."""
