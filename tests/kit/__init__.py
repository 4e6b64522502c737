"""What the tests of the service share; nothing in here is a test itself.

    clocks.py      a clock that stands still until a test moves it
    business.py    a shop's rules, and a payment that is in no database
    till.py        a shop on a database: its payments and subscriptions, and what is on record of them
    scene.py       a till, the simulator of Bakong, and a watcher between them
    shopfront.py   a till with webhooks; `receiver.py` is who receives them
    service.py     the service over ASGI and its clients; `described.py` checks each of its answers
    link.py        a bad link to PostgreSQL
    redis.py       a Redis of a test's own
    patience.py    an executor that waits for a busy database
    backup.py      a backup of a database, and its restore
    there.py       what a test knows to be there

The fixtures that are made of these stand in `tests/service/conftest.py`.
"""
