"""What operators need over HTTP: health, metrics, audit, keys, budget, test mode."""
