"""The files in `deploy/`, and the pages of what to do, name metrics, log events, settings and pages that exist."""

import json
import re
from pathlib import Path

import pytest
from attrs import fields

from bakong_service import app
from bakong_service.settings import Settings
from kit.service import ServiceOf, client_of

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
RULES = (DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8")
DASHBOARD = (DEPLOY / "grafana/bakong.json").read_text(encoding="utf-8")
RUNBOOKS = sorted((ROOT / "docs/service/runbooks").glob("*.md"))
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/bakong_service").rglob("*.py"))
SETTINGS = {field.name.upper() for field in fields(Settings)}
NOT_OURS = {"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "PYTHONUNBUFFERED"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def metrics_named(text: str) -> set[str]:
    """Return each metric that a text names, a fact with its name."""
    plain = set(re.findall(r"\b(bakong_[a-z_]+)(?=[{\[)])", text)) - {"bakong_fact"}
    return plain | {f"fact {name}" for name in re.findall(r'bakong_fact\{name="(\w+)"', text)}


def events_named(text: str) -> set[str]:
    """Return each event of the log that a text names: in a line of the log, or as the kind of an alert."""
    kinds = re.findall(r'bakong_alerts_total\{kind=~?"([\w|]+)"', text)
    return set(re.findall(r'"event": "(\w+)"', text)) | {kind for each in kinds for kind in each.split("|")}


def settings_named(text: str) -> set[str]:
    """Return the variables that a file for an orchestrator sets."""
    return set(re.findall(r"^\s*#?([A-Z][A-Z_]+)[:=]", text, re.MULTILINE)) | set(re.findall(r"\b([A-Z_]{4,})=", text))


def is_logged(event: str) -> bool:
    return re.search(rf'(log\.\w+|_alert)\(\s*"{event}"|tell\("{event}"', SOURCE) is not None


@pytest.mark.anyio
async def test_every_metric_of_rules_dashboard_and_runbooks_is_scraped(service_of: ServiceOf) -> None:
    service = service_of(BAKONG_DAILY_LIMIT="100")
    service.metrics.verified(0)
    for loop in app.workers(service, app.timekeeper(service)):
        service.metrics.follow(loop)
        if loop._close is not None:
            await loop._close()
    async with client_of(service) as client:
        text = (await client.get("/metrics")).text
    there = {f"fact {name}" for name in re.findall(r'^bakong_fact\{name="(\w+)"', text, re.MULTILINE)}
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)", text, re.MULTILINE))
    there |= {f"{name}_bucket" if kind == "histogram" else name for name, kind in kinds.items()}
    named = metrics_named(RULES) | metrics_named(json.dumps(json.loads(DASHBOARD)).replace('\\"', '"'))
    named |= {name for page in RUNBOOKS for name in metrics_named(page.read_text(encoding="utf-8"))}
    assert len(named) > 12
    assert named - there == set()


def test_every_event_of_the_log_that_rules_and_runbooks_name_is_logged() -> None:
    named = events_named("\n".join([RULES, *(page.read_text(encoding="utf-8") for page in RUNBOOKS)]))
    assert len(named) > 5
    assert {event for event in named if not is_logged(event)} == set()
    assert not is_logged("bakong_mood")


@pytest.mark.parametrize("path", ["Dockerfile", "compose.yaml", ".env.example", "nginx/bakong.conf"])
def test_every_setting_that_a_file_sets_exists(path: str) -> None:
    assert settings_named((DEPLOY / path).read_text(encoding="utf-8")) - SETTINGS - NOT_OURS == set()


def test_a_setting_that_was_removed_would_be_noticed() -> None:
    assert settings_named("ENV HOST=0.0.0.0 SERVICE_URL=x\n      OTHER_URL: y\n") - SETTINGS == {
        "SERVICE_URL",
        "OTHER_URL",
    }


def test_every_alert_leads_to_a_page() -> None:
    pages = re.findall(r"runbook: ([\w/-]+)", RULES)
    assert len(pages) == RULES.count("- alert:")
    assert [page for page in pages if not (ROOT / f"docs/{page}.md").exists()] == []
