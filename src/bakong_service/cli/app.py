"""The commands of `bakong-service`. A command is loaded only when it is called."""

import sys

from cyclopts import App, Group

from bakong_service import __version__

_RUNNING = "Set up and run"
_SELLING = "Payments and subscriptions"
_LOOKING = "Look and check"
_KEEPING = "Keep and recover the database"
_GRANTING = "Keys and endpoints"

COMMANDS = {
    _RUNNING: (
        ("init", "init:init", "Write a file with every setting, its meaning, and fresh secrets."),
        ("serve", "serve:serve", "Serve the API, and run the workers beside it."),
        ("work", "serve:work", "Run only the workers."),
        ("migrate", "migrate:migrate", "Bring the database to this version's schema."),
        ("demo", "demo:demo", "Play one payment on this machine."),
        ("dev", "dev:dev", "Run service, simulator and a receiver of webhooks on this machine."),
    ),
    _SELLING: (
        ("payments", "payments:app", "Show, check, cancel and refund payments."),
        ("reviews", "reviews:app", "Decide about money that needs a person."),
        ("links", "links:app", "Make and close links that sell one thing."),
        ("plans", "plans:app", "Offer plans, and withdraw them."),
        ("subscriptions", "subscriptions:app", "Change and cancel subscriptions, and give credit."),
    ),
    _LOOKING: (
        ("doctor", "doctor:doctor", "Examine settings, database, token, and the way to Bakong."),
        ("verify", "oversight:verify", "Check the promises over the whole database."),
        ("budget", "oversight:budget", "Show today's calls to Bakong."),
        ("report", "report:app", "Sum up what came."),
        ("reconcile", "reconcile:reconcile", "List a day's money, to be compared with the bank's statement."),
        ("audit", "audit:app", "Remove old lines of the audit log."),
    ),
    _KEEPING: (
        ("backup", "backup:backup", "Write a backup of the database, beside a running service."),
        ("restore", "restore:restore", "Restore a backup into an empty database, and check it."),
        ("recover", "recover:recover", "Find what a restored database has lost."),
        ("copy", "copying:copy", "Copy the database, such as from SQLite to PostgreSQL."),
    ),
    _GRANTING: (
        ("keys", "keys:app", "Make, list, rotate and revoke API keys."),
        ("vault", "vault:app", "Show and replace the keys that fields are sealed with."),
        ("webhooks", "webhooks:app", "Show and change endpoints, and repeat deliveries."),
    ),
}
"""Each group's commands: name, where the command is, and what the list of commands says about it."""


def commands(*, listed: bool = False) -> App:
    """Return the application. With `listed`, it has a line about each command, in place of the command's own text.

    The list would take four times as long if it loaded every command for the text.
    """
    made = App(
        name="bakong-service",
        version=__version__,
        help="Payments and subscriptions over Bakong KHQR: the service, and the commands of its operator.",
        help_format="markdown",
    )
    for number, (title, members) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=number)
        for name, place, meaning in members:
            made.command(f"bakong_service.cli.{place}", name=name, help=meaning if listed else None, group=group)
    return made


app = commands()


def main() -> None:
    """Run `bakong-service` with the arguments of the process."""
    words = sys.argv[1:]
    (commands(listed=True) if set(words) <= {"--help", "-h"} else app)(words)
