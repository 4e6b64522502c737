"""How the clients call Bakong: when they may, when they ask again, and over which connections.

- `polling.py`: `PollingSchedule`, which says when `wait_for_payment` asks; `budget.py`: `RequestBudget`, which limits
  the calls;
- `_sending.py` and `_async_sending.py` send a call for the two clients, over the connections of `_connections.py`.

`bakong_khqr.retry` decides whether a call is sent again.
"""
