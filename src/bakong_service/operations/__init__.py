"""What the service does: one function for each thing, in one transaction. Its unit of work says who acts and when.

Only this room writes the state, the history, the audit log and the outbox together.
"""
