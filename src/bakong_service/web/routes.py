"""Every URL, on one screen."""

# ruff: noqa: E501 - a table: one route a line

from bakong_service.web import health, payments
from bakong_service.web.route import Route

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET",  "/v1/payments/{reference}", payments.read, "payments:read", "Read a payment", answer="payment"),
    Route("POST", "/v1/payments", payments.create, "payments:write", "Make a payment", body=payments.NewPaymentBody, answer="payment", status=201),
    Route("GET",  "/v1/payments/{reference}/qr.png", payments.picture_png, "payments:read", "The QR as a PNG", answer="image/png"),
    Route("GET",  "/v1/payments/{reference}/qr.svg", payments.picture_svg, "payments:read", "The QR as an SVG", answer="image/svg+xml"),
    Route("GET",  "/health/live", health.live, None, "Is the process alive", answer="health"),
    Route("GET",  "/health/ready", health.ready, None, "Is the service ready", answer="health"),
)
# fmt: on
