"""Metrics for Prometheus: requests as they happen, workers as they are, the database as it is when it is scraped."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from bakong_service import alerts

_DETECTED = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 86_400.0)
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Worker(Protocol):
    """What is told of a worker's loop."""

    name: str
    errors: int
    last_step_at: datetime | None


class Counts(Collector):
    """A counter that somebody else keeps, as `{what: how often}`."""

    def __init__(self, name: str, meaning: str, counts: Mapping[str, int]) -> None:
        self._name, self._meaning, self._counts = name, meaning, counts

    def collect(self) -> list[CounterMetricFamily]:
        """The counts as they are."""
        family = CounterMetricFamily(self._name, self._meaning, labels=["kind"])
        for kind, count in self._counts.items():
            family.add_metric([kind], count)
        return [family]


class Metrics:
    """One process's metrics. Routes are named by their template, so that no reference becomes a label."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._of_route = cache(self._labelled)
        self._workers: list[Worker] = []
        self._requests = Counter(
            "bakong_http_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "bakong_http_request_seconds", "How long they took", ["method", "route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._errors = self._gauge("bakong_worker_errors", "Steps of a worker that failed since the start", "worker")
        self._age = self._gauge("bakong_worker_last_step_timestamp", "When a worker last did its step", "worker")
        self._facts = self._gauge("bakong_fact", "What the database says now", "name")
        self._payments = self._gauge("bakong_payments", "Payments made in the last 24 hours, by status", "status")
        self._detection = Histogram(
            "bakong_payment_detection_seconds", "From the moment at which the payer sent to `paid`",
            buckets=_DETECTED, registry=self._registry,
        )  # fmt: skip
        self.count("bakong_alerts", "What a person should look at: lines of the log at level error", alerts.COUNTS)
        self._violations: Gauge | None = None  # absent until somebody looked: 0 would say that all holds

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        count, histogram = self._of_route(method, route, status)
        count.inc()
        histogram.observe(seconds)

    def follow(self, worker: Worker) -> None:
        """Tell of a worker's loop from now on."""
        self._workers.append(worker)

    def count(self, name: str, meaning: str, counts: Mapping[str, int]) -> None:
        """Tell of counts that somebody else keeps."""
        self._registry.register(Counts(name, meaning, counts))

    def verified(self, violations: int) -> None:
        """Tell how many rows broke an invariant when it was last looked."""
        if self._violations is None:
            self._violations = self._gauge("bakong_invariant_violations", "Rows that break an invariant: must be 0")
        self._violations.set(violations)

    def detected(self, seconds: float) -> None:
        """Tell how long it took from the payer's time until a payment was paid."""
        self._detection.observe(max(0.0, seconds))

    def exposition(self, facts: Mapping[str, float], payments: Mapping[str, int]) -> tuple[bytes, str]:
        """Everything as Prometheus reads it, and its content type. `facts` and `payments` are the database's."""
        for status, count in payments.items():
            self._payments.labels(status).set(count)
        for worker in self._workers:
            self._errors.labels(worker.name).set(worker.errors)
            if worker.last_step_at is not None:
                self._age.labels(worker.name).set(worker.last_step_at.timestamp())
        for name, value in facts.items():
            self._facts.labels(name).set(value)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def _labelled(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self._registry)
