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
app.command("bakong_service.cli.demo:demo", name="demo")


def main() -> None:
    """Run `bakong-service` with the process's arguments."""
    app()
