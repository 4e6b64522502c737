"""The command line `bakong-service`: which commands there are. Each is loaded only when it is called."""

from cyclopts import App

from bakong_service import __version__

app = App(
    name="bakong-service",
    version=__version__,
    help="Payments and subscriptions over Bakong KHQR: the service and its operator's commands.",
    help_format="markdown",
)

app.command("bakong_service.cli.serve:serve", name="serve")
app.command("bakong_service.cli.serve:work", name="work")
app.command("bakong_service.cli.migrate:migrate", name="migrate")
app.command("bakong_service.cli.payments:app", name="payments")
app.command("bakong_service.cli.reviews:app", name="reviews")
app.command("bakong_service.cli.plans:app", name="plans")
app.command("bakong_service.cli.subscriptions:app", name="subscriptions")
app.command("bakong_service.cli.webhooks:app", name="webhooks")
app.command("bakong_service.cli.keys:app", name="keys")
app.command("bakong_service.cli.oversight:budget", name="budget")
app.command("bakong_service.cli.oversight:verify", name="verify")
app.command("bakong_service.cli.reconcile:reconcile", name="reconcile")
app.command("bakong_service.cli.demo:demo", name="demo")


def main() -> None:
    """Run `bakong-service` with the process's arguments."""
    app()
