"""A main backend's webhook endpoint on Flask.

It verifies with the public package `standardwebhooks`, takes each event once and drops those that are older than what
it knows. What it has taken is kept in SQLite, in the same transaction as what the event does: here, a line on standard
output.
"""

import base64
import os
import sqlite3
from typing import Any

from flask import Flask, Response, request
from standardwebhooks import Webhook, WebhookVerificationError

INBOX = os.environ.get("INBOX", "inbox.db")

app = Flask(__name__)


def verifier(secret: str) -> Webhook:
    """The package takes base64: a secret that is plain text is given to it as such."""
    return Webhook(secret if secret.startswith("whsec_") else base64.b64encode(secret.encode()).decode())


SECRETS = [os.environ["WEBHOOK_SECRET"]]
if before := os.environ.get("WEBHOOK_SECRET_BEFORE"):
    SECRETS.append(before)
VERIFIERS = [verifier(secret) for secret in SECRETS]


@app.post("/webhooks")
def receive() -> Response:
    """Answer 204 once the event is kept; 401 to whatever isn't the service's."""
    body, headers = request.get_data(), {name.lower(): value for name, value in request.headers.items()}
    for each in VERIFIERS:
        try:
            event = each.verify(body, headers)
        except WebhookVerificationError:
            continue
        take(event)
        return Response(status=204)
    return Response("no signature that we know", 401)


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
