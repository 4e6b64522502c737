"""The workers, which run beside the requests. A `Loop` calls each worker's `step(now)`.

A step does what is due and returns when it wants to be called again. No transaction is open while a step uses the
network: the step claims rows, commits, makes its call, and records the result.
"""
