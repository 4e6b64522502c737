"""Endpoints, deliveries and the feed over HTTP."""
