"""One function per thing the service does; each is one transaction, run by an executor, told the time.

The only room that writes state, history, audit and outbox together.
"""
