"""Payments and the review queue over HTTP."""
