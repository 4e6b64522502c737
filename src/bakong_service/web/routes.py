"""Every URL, on one screen."""

# ruff: noqa: E501 - a table: one route a line

from bakong_service.web import deliveries, endpoints, events, health, payments, plans, subscriptions
from bakong_service.web.route import Route

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET",  "/v1/payments/{reference}", payments.read, "payments:read", "Read a payment", answer="payment"),
    Route("POST", "/v1/payments", payments.create, "payments:write", "Make a payment", body=payments.NewPaymentBody, answer="payment", status=201),
    Route("GET",  "/v1/payments/{reference}/qr.png", payments.picture_png, "payments:read", "The QR as a PNG", answer="image/png"),
    Route("GET",  "/v1/payments/{reference}/qr.svg", payments.picture_svg, "payments:read", "The QR as an SVG", answer="image/svg+xml"),
    Route("GET",  "/v1/plans", plans.index, "subscriptions:read", "List plans", answer="list of plan"),
    Route("POST", "/v1/plans", plans.offer, "admin", "Sell a plan, or at another price", body=plans.NewPlanBody, answer="plan", status=201),
    Route("GET",  "/v1/users/{user_id}/subscription", subscriptions.of_user, "subscriptions:read", "Is a user entitled, and until when", answer="subscription"),
    Route("GET",  "/v1/subscriptions", subscriptions.index, "subscriptions:read", "List subscriptions", query=subscriptions.SubscriptionFilters, answer="list of subscription"),
    Route("GET",  "/v1/subscriptions/{reference}", subscriptions.read, "subscriptions:read", "Read a subscription", answer="subscription"),
    Route("GET",  "/v1/subscriptions/{reference}/history", subscriptions.changes, "subscriptions:read", "List a subscription's changes", query=subscriptions.NoBody, answer="list of change"),
    Route("POST", "/v1/subscriptions/{reference}/upgrade", subscriptions.upgrade, "subscriptions:write", "Quote a dearer plan and make its payment", body=subscriptions.UpgradeBody, answer="upgrade", status=201),
    Route("POST", "/v1/subscriptions/{reference}/downgrade", subscriptions.downgrade, "subscriptions:write", "Change to a cheaper plan", body=subscriptions.DowngradeBody, answer="subscription"),
    Route("POST", "/v1/subscriptions/{reference}/cancel", subscriptions.cancel, "subscriptions:write", "Cancel a subscription", body=subscriptions.CancelBody, answer="subscription"),
    Route("POST", "/v1/subscriptions/{reference}/resume", subscriptions.resume, "subscriptions:write", "Take a cancelling back", answer="subscription"),
    Route("POST", "/v1/subscriptions/{reference}/renew", subscriptions.renew, "subscriptions:write", "Make the renewal's payment", answer="renewal", status=201),
    Route("GET",  "/v1/endpoints", endpoints.index, "webhooks", "List endpoints", query=endpoints.NoBody, answer="list of endpoint"),
    Route("POST", "/v1/endpoints", endpoints.create, "webhooks", "Make an endpoint", body=endpoints.NewEndpointBody, answer="endpoint with secret", status=201),
    Route("GET",  "/v1/endpoints/{reference}", endpoints.read, "webhooks", "Read an endpoint", answer="endpoint"),
    Route("PATCH", "/v1/endpoints/{reference}", endpoints.change, "webhooks", "Change an endpoint", body=endpoints.EndpointChangeBody, answer="endpoint"),
    Route("DELETE", "/v1/endpoints/{reference}", endpoints.delete, "webhooks", "Delete an endpoint", answer="deleted endpoint"),
    Route("POST", "/v1/endpoints/{reference}/enable", endpoints.enable, "webhooks", "Enable an endpoint again", answer="endpoint"),
    Route("POST", "/v1/endpoints/{reference}/rotate", endpoints.rotate, "webhooks", "Give an endpoint another secret", body=endpoints.RotationBody, answer="endpoint with secret"),
    Route("POST", "/v1/endpoints/{reference}/test", endpoints.test, "webhooks", "Send a test event", answer="event id", status=202),
    Route("POST", "/v1/endpoints/{reference}/replay", endpoints.replay, "webhooks", "Deliver a stretch of the feed again", body=endpoints.ReplayBody, answer="replay", status=202),
    Route("GET",  "/v1/events", events.index, "webhooks", "Read the feed of events", query=events.EventFilters, answer="list of event"),
    Route("GET",  "/v1/events/{reference}", events.read, "webhooks", "Read an event", answer="event"),
    Route("GET",  "/v1/deliveries", deliveries.index, "webhooks", "List deliveries", query=deliveries.DeliveryFilters, answer="list of delivery"),
    Route("GET",  "/v1/deliveries/{reference}", deliveries.read, "webhooks", "Read a delivery with its attempts", answer="delivery with attempts"),
    Route("POST", "/v1/deliveries/{reference}/retry", deliveries.retry, "webhooks", "Try a delivery now", answer="delivery", status=202),
    Route("GET",  "/health/live", health.live, None, "Is the process alive", answer="health"),
    Route("GET",  "/health/ready", health.ready, None, "Is the service ready", answer="health"),
)
# fmt: on
