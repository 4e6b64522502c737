"""What the business is and how it changes. No I/O and no clock: `now` is always an argument."""
