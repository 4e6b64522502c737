"""Keeps endpoints, makes and records deliveries, and fills the feed of events."""
