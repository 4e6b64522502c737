"""Every URL, on one screen."""

# ruff: noqa: E501 - a table: one route a line

from bakong_service import resources
from bakong_service.web.http import bodies, docs
from bakong_service.web.http.route import Keyed, Route
from bakong_service.web.links import links
from bakong_service.web.operating import audit, health, keys, oversight, takings, test_mode
from bakong_service.web.payments import actions as payment_actions
from bakong_service.web.payments import deeplinks, notify, payments, reviews
from bakong_service.web.payments import records as payment_records
from bakong_service.web.payments import stream as payment_stream
from bakong_service.web.subscriptions import credit, plans, subscriptions
from bakong_service.web.webhooks import deliveries, endpoints, events

_TAKEN, _DEMANDED = Keyed.TAKEN, Keyed.DEMANDED
_NO_PAYMENT = "payment_not_found"
_NO_SUBSCRIPTION = "no_such_subscription"
_NO_ENDPOINT = "endpoint_not_found"
_CHANGING = "no_such_subscription version_moved_on subscription_over resume_instead renewal_unpaid"
_OTHER_PLAN = f"{_CHANGING} unknown_plan same_plan plan_withdrawn plan_not_comparable already_paid"
_SETTLED = (
    "payment_paid payment_review payment_timeout payment_failed payment_cancelled payment_expired payment_refunded"
)
_UNPAID = (
    "payment_pending payment_review payment_timeout payment_failed payment_cancelled payment_expired payment_refunded"
)
_BUYING = "return_url_not_allowed unknown_plan required amount_not_positive amount_not_the_price khqr_invalid too_many_open_payments plan_withdrawn credit_covers_it paid_ahead upgrade_instead downgrade_instead downgrade_scheduled resume_instead plan_not_comparable version_moved_on"
_RESOLVING = "review_not_found payment_not_found review_resolved no_money_seen no_money_to_credit money_used_elsewhere currency_differs effect_no_longer_valid unknown_action required version_moved_on payment_pending payment_paid payment_refunded payment_timeout payment_failed payment_cancelled payment_expired"

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/payments/{reference}", payments.read, "payments:read", "Read a payment", resources.PaymentWithValue | resources.PaymentForPayer, also={304: None}, query=payments.PaymentWait, tagged=True, client=True, refuses=_NO_PAYMENT),
    Route("POST", "/v1/payments", payments.create, "payments:write", "Make a payment", resources.PaymentWithQR, status=201, body=payments.NewPaymentBody, keyed=_DEMANDED, refuses=_BUYING),
    Route("GET", "/v1/payments/{reference}/qr.png", payments.picture_png, "payments:read", "The QR as a PNG", "image/png", client=True, refuses=_NO_PAYMENT),
    Route("GET", "/v1/payments/{reference}/qr.svg", payments.picture_svg, "payments:read", "The QR as an SVG", "image/svg+xml", client=True, refuses=_NO_PAYMENT),
    Route("GET", "/v1/payments/{reference}/card.png", payments.card_png, "payments:read", "The KHQR card as a PNG", "image/png", client=True, refuses=f"{_NO_PAYMENT} no_card"),
    Route("GET", "/v1/payments/{reference}/card.svg", payments.card_svg, "payments:read", "The KHQR card as an SVG", "image/svg+xml", client=True, refuses=f"{_NO_PAYMENT} no_card"),
    Route("GET", "/v1/payments", payments.index, "payments:read", "List payments", list[resources.Payment], query=payments.PaymentFilters, paged=True),
    Route("GET", "/v1/payments/{reference}/deeplink", deeplinks.read, "payments:read", "The link that opens a bank app", resources.Deeplink, client=True, refuses=f"{_NO_PAYMENT} {_SETTLED} bakong_away"),
    Route("GET", "/v1/payments/{reference}/events", payment_stream.read, "payments:read", "Follow a payment (server-sent events)", "text/event-stream", also={204: None}, resumed=True, client=True, refuses=_NO_PAYMENT),
    Route("POST", "/v1/payments/{reference}/check", payment_actions.check, "payments:write", "Hint that it may be paid", resources.PaymentWithQR | resources.PaymentForPayer, status=202, also={200: resources.PaymentWithQR | resources.PaymentForPayer}, body=payment_actions.CheckBody, client=True, refuses=_NO_PAYMENT),
    Route("POST", "/v1/payments/{reference}/cancel", payment_actions.cancel, "payments:write", "Cancel a payment", resources.PaymentWithQR, body=payment_actions.CancelPaymentBody, keyed=_TAKEN, refuses=f"{_NO_PAYMENT} {_SETTLED}"),
    Route("GET", "/v1/payments/{reference}/history", payment_records.history, "payments:read", "Every change of a payment", list[resources.Change], paged=True, refuses=_NO_PAYMENT),
    Route("GET", "/v1/payments/{reference}/receipts", payment_records.sightings, "payments:read", "The money that was seen for it", list[resources.Receipt], paged=True, refuses=_NO_PAYMENT),
    Route("POST", "/v1/payments/checks", payment_actions.checks, "payments:write", "Look many up by MD5, with a hint each", resources.Checks, body=payment_actions.ChecksBody),
    Route("POST", "/v1/payments/{reference}/refund", reviews.refund, "operator", "Record a refund made outside", resources.RefundedPayment, body=reviews.RefundBody, keyed=_TAKEN, refuses=f"{_NO_PAYMENT} {_UNPAID} refund_recorded refund_too_large nothing_to_reverse invalid_amount required version_moved_on"),
    Route("GET", "/v1/reviews", reviews.index, "operator", "List the review queue", list[resources.Review], query=reviews.ReviewFilters, paged=True),
    Route("GET", "/v1/reviews/{reference}", reviews.read, "operator", "Read a review item", resources.Review, refuses="review_not_found"),
    Route("POST", "/v1/reviews/{reference}/resolve", reviews.resolve, "operator", "Decide about a review item", resources.Payment, body=reviews.ResolutionBody, keyed=_TAKEN, refuses=_RESOLVING),
    Route("POST", "/v1/links", links.create, "payments:write", "Make a payment link", resources.Link, status=201, body=links.NewLinkBody, keyed=_TAKEN, refuses="unknown_plan plan_withdrawn"),
    Route("GET", "/v1/links", links.index, "payments:read", "List payment links", list[resources.Link], paged=True),
    Route("GET", "/v1/links/{reference}", links.read, "payments:read", "Read a payment link", resources.Link, refuses="link_not_found"),
    Route("POST", "/v1/links/{reference}/close", links.close, "payments:write", "Close a payment link", resources.Link, body=bodies.Nothing, keyed=_TAKEN, refuses="link_not_found"),
    Route("GET", "/v1/links/{reference}/qr.png", links.qr_png, "payments:read", "The link's address as a QR (PNG)", "image/png", refuses="link_not_found no_public_url"),
    Route("GET", "/v1/links/{reference}/qr.svg", links.qr_svg, "payments:read", "The link's address as a QR (SVG)", "image/svg+xml", refuses="link_not_found no_public_url"),
    Route("GET", "/v1/plans", plans.index, "subscriptions:read", "List plans", list[resources.Plan]),
    Route("POST", "/v1/plans", plans.offer, "admin", "Sell a plan, or at another price", resources.Plan, status=201, body=plans.NewPlanBody, keyed=_TAKEN, refuses="invalid_plan kept_by_plans_file"),
    Route("POST", "/v1/plans/{code}/withdraw", plans.withdraw, "admin", "Withdraw a plan from sale", resources.Plan, body=bodies.Nothing, keyed=_TAKEN, refuses="plan_not_found kept_by_plans_file"),
    Route("GET", "/v1/users/{user_id}/subscription", subscriptions.of_user, "subscriptions:read", "Is a user entitled, and until when", resources.Subscription, also={304: None}, tagged=True, refuses=_NO_SUBSCRIPTION),
    Route("POST", "/v1/users/{user_id}/credit", credit.grant, "operator", "Give credit to a user, or remove it", resources.GrantedCredit, status=201, body=credit.CreditBody, keyed=_DEMANDED, refuses="credit_too_small amount_is_zero required"),
    Route("GET", "/v1/subscriptions", subscriptions.index, "subscriptions:read", "List subscriptions", list[resources.Subscription], query=subscriptions.SubscriptionFilters, paged=True),
    Route("GET", "/v1/subscriptions/{reference}", subscriptions.read, "subscriptions:read", "Read a subscription", resources.Subscription, also={304: None}, tagged=True, refuses=_NO_SUBSCRIPTION),
    Route("GET", "/v1/subscriptions/{reference}/history", subscriptions.changes, "subscriptions:read", "List a subscription's changes", list[resources.Change], paged=True, refuses=_NO_SUBSCRIPTION),
    Route("POST", "/v1/subscriptions/{reference}/upgrade", subscriptions.upgrade, "subscriptions:write", "Quote a dearer plan and make its payment", resources.Upgrade, status=201, also={200: resources.Upgrade | resources.UpgradePreview}, body=subscriptions.UpgradeBody, keyed=_TAKEN, refuses=f"{_OTHER_PLAN} downgrade_instead khqr_invalid"),
    Route("POST", "/v1/subscriptions/{reference}/downgrade", subscriptions.downgrade, "subscriptions:write", "Change to a cheaper plan", resources.Subscription | resources.DowngradePreview, body=subscriptions.DowngradeBody, keyed=_TAKEN, refuses=f"{_OTHER_PLAN} upgrade_instead"),
    Route("POST", "/v1/subscriptions/{reference}/cancel", subscriptions.cancel, "subscriptions:write", "Cancel a subscription", resources.Subscription | resources.CancelPreview, body=subscriptions.CancelSubscriptionBody, keyed=_TAKEN, refuses=f"{_CHANGING} already_cancelled"),
    Route("POST", "/v1/subscriptions/{reference}/resume", subscriptions.resume, "subscriptions:write", "Take a cancelling back", resources.Subscription, body=bodies.Nothing, keyed=_TAKEN, refuses=f"{_CHANGING} not_cancelled"),
    Route("POST", "/v1/subscriptions/{reference}/renew", subscriptions.renew, "subscriptions:write", "Make the renewal's payment", resources.Renewal, status=201, also={200: resources.Renewal}, body=bodies.Nothing, keyed=_TAKEN, refuses=f"{_CHANGING} paid_ahead khqr_invalid"),
    Route("GET", "/v1/endpoints", endpoints.index, "webhooks", "List endpoints", list[resources.Endpoint], paged=True),
    Route("POST", "/v1/endpoints", endpoints.create, "webhooks", "Make an endpoint", resources.EndpointWithSecret, status=201, body=endpoints.NewEndpointBody, keyed=_TAKEN, refuses="invalid_endpoint too_many_endpoints"),
    Route("GET", "/v1/endpoints/{reference}", endpoints.read, "webhooks", "Read an endpoint", resources.Endpoint, also={304: None}, tagged=True, refuses=_NO_ENDPOINT),
    Route("PATCH", "/v1/endpoints/{reference}", endpoints.change, "webhooks", "Change an endpoint", resources.Endpoint, body=endpoints.EndpointChangeBody, keyed=_TAKEN, refuses=f"{_NO_ENDPOINT} invalid_endpoint kept_by_settings"),
    Route("DELETE", "/v1/endpoints/{reference}", endpoints.delete, "webhooks", "Delete an endpoint", resources.DeletedEndpoint, body=bodies.Nothing, keyed=_TAKEN, refuses=f"{_NO_ENDPOINT} kept_by_settings"),
    Route("POST", "/v1/endpoints/{reference}/enable", endpoints.enable, "webhooks", "Enable an endpoint again", resources.Endpoint, body=bodies.Nothing, keyed=_TAKEN, refuses=f"{_NO_ENDPOINT} kept_by_settings"),
    Route("POST", "/v1/endpoints/{reference}/rotate", endpoints.rotate, "webhooks", "Give an endpoint another secret", resources.EndpointWithSecret, body=endpoints.EndpointRotationBody, keyed=_TAKEN, refuses=f"{_NO_ENDPOINT} invalid_endpoint kept_by_settings"),
    Route("POST", "/v1/endpoints/{reference}/test", endpoints.test, "webhooks", "Send a test event", resources.EventReference, status=202, body=bodies.Nothing, keyed=_TAKEN, refuses=f"{_NO_ENDPOINT} endpoint_disabled"),
    Route("POST", "/v1/endpoints/{reference}/replay", endpoints.replay, "webhooks", "Deliver a stretch of the feed again", resources.Replay, status=202, body=endpoints.ReplayBody, keyed=_TAKEN, refuses=_NO_ENDPOINT),
    Route("GET", "/v1/events", events.index, "webhooks", "Read the feed of events", list[resources.Event], query=events.EventFilters, paged=True, refuses="feed_restored"),
    Route("GET", "/v1/events/{reference}", events.read, "webhooks", "Read an event", resources.Event, refuses="event_not_found"),
    Route("GET", "/v1/deliveries", deliveries.index, "webhooks", "List deliveries", list[resources.Delivery], query=deliveries.DeliveryFilters, paged=True),
    Route("GET", "/v1/deliveries/{reference}", deliveries.read, "webhooks", "Read a delivery with its attempts", resources.DeliveryWithAttempts, refuses="delivery_not_found"),
    Route("POST", "/v1/deliveries/{reference}/retry", deliveries.retry, "webhooks", "Try a delivery now", resources.Delivery, status=202, body=bodies.Nothing, keyed=_TAKEN, refuses="delivery_not_found endpoint_deleted delivery_waits"),
    Route("POST", "/v1/notify/bakong", notify.receive, None, "A signed notice that a payment may be paid", resources.Notice, status=202, also={200: resources.Notice}, body=notify.NoticeBody, signed=True, refuses=f"{_NO_PAYMENT} no_such_route invalid_signature address_blocked"),
    Route("GET", "/v1/keys", keys.index, "admin", "List API keys", list[resources.Key], paged=True),
    Route("POST", "/v1/keys", keys.create, "admin", "Make an API key", resources.KeyWithText, status=201, body=keys.NewKeyBody, keyed=_TAKEN),
    Route("POST", "/v1/keys/{key_id}/rotate", keys.rotate, "admin", "A new key beside an old one", resources.KeyWithText, status=201, body=keys.KeyRotationBody, keyed=_TAKEN, refuses="key_not_found key_over"),
    Route("POST", "/v1/keys/{key_id}/revoke", keys.revoke, "admin", "End an API key at once", resources.Key, body=bodies.Nothing, keyed=_TAKEN, refuses="key_not_found"),
    Route("GET", "/v1/audit", audit.index, "admin", "Read the audit log", list[resources.AuditEntry], query=audit.AuditFilters, paged=True),
    Route("GET", "/v1/reports/takings", takings.takings, "operator", "What the shop took in", resources.TakingsReport, query=takings.TakingsFilters, as_csv=True),
    Route("GET", "/v1/budget", oversight.budget, "admin", "The day's calls to Bakong", resources.Budget),
    Route("GET", "/v1/verify", oversight.verification, "admin", "Check every invariant", resources.Verification),
    Route("POST", "/v1/test/clock/advance", test_mode.advance, "operator", "Move the test clock on", resources.TestClock, body=test_mode.AdvanceBody, refuses="simulator_away not_a_simulator", test_only=True),
    Route("POST", "/v1/test/pay", test_mode.pay, "operator", "Pay through the simulator", resources.SimulatedPayment, body=test_mode.PayBody, refuses=f"{_NO_PAYMENT} simulator_away not_a_simulator", test_only=True),
    Route("GET", "/openapi.json", docs.openapi, None, "This document", dict, also={304: None}, tagged=True, offline=True, refuses="rate_limited"),
    Route("GET", "/docs", docs.page, None, "The same for people", "text/html", also={304: None}, tagged=True, offline=True, refuses="rate_limited"),
    Route("GET", "/", docs.home, None, "What this is", "text/html", also={304: None}, tagged=True, offline=True, refuses="rate_limited"),
    Route("GET", "/metrics", oversight.metrics, "metrics", "Metrics for Prometheus", "text/plain"),
    Route("GET", "/health/live", health.live, None, "Is the process alive", resources.Live, offline=True),
    Route("GET", "/health/ready", health.ready, None, "Is the service ready", resources.Ready, also={503: resources.Unready}, more_with="metrics"),
)
# fmt: on
