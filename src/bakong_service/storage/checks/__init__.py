"""Checks of promises over the whole database, and numbers about it."""
