"""Rows of events, endpoints and deliveries."""
