"""Payment links over HTTP, for the main backend."""
