"""A main backend's webhook endpoint on Starlette.

It verifies with `bakong_service.webhooks`, takes each event once and drops those that are older than what it knows.
What it has taken is kept in SQLite, in the same transaction as what the event does: here, a line on standard output.
"""

import os
import sqlite3
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bakong_service import webhooks

SECRETS = [os.environ["WEBHOOK_SECRET"]]
if before := os.environ.get("WEBHOOK_SECRET_BEFORE"):
    SECRETS.append(before)
INBOX = os.environ.get("INBOX", "inbox.db")


async def receive(request: Request) -> Response:
    """Answer 204 once the event is kept; 401 to whatever isn't the service's."""
    body = await request.body()
    try:
        event = webhooks.verify(body, request.headers, SECRETS)
    except webhooks.InvalidSignature as error:
        return Response(str(error), 401)
    await run_in_threadpool(take, event)
    return Response(status_code=204)


def take(event: dict[str, Any]) -> None:
    """Keep an event with what it does, in one transaction: both or neither."""
    database = sqlite3.connect(INBOX)
    try:
        with database:
            print(event["type"], event["subject"], event["sequence"], _outcome(database, event), flush=True)
    finally:
        database.close()


def _outcome(database: sqlite3.Connection, event: dict[str, Any]) -> str:
    known = {"id": event["id"], "subject": event["subject"], "sequence": event["sequence"]}
    if database.execute("INSERT OR IGNORE INTO events VALUES (:id)", known).rowcount == 0:
        return "duplicate"
    newer = """
        INSERT INTO subjects VALUES (:subject, :sequence)
        ON CONFLICT (subject) DO UPDATE SET sequence = excluded.sequence WHERE excluded.sequence > subjects.sequence
    """
    if database.execute(newer, known).rowcount == 0:
        return "stale"
    # Here the shop acts, through the same connection: event["data"] is the whole payment or subscription.
    return "taken"


with sqlite3.connect(INBOX) as made:
    made.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY)")
    made.execute("CREATE TABLE IF NOT EXISTS subjects (subject TEXT PRIMARY KEY, sequence INTEGER NOT NULL)")
made.close()

app = Starlette(routes=[Route("/webhooks", receive, methods=["POST"])])
