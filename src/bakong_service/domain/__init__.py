"""The rules of the business, as pure functions and values. No I/O and no clock: `now` is always an argument."""
