"""What runs beside the requests: each worker is a `step(now)` that does what is due and says when it wants to be called
again, and a `Loop` that calls it. No transaction is open while a step talks to the network: claim, commit, call,
record.
"""
