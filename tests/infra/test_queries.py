"""Alerts and workbook ask for what the app really logs."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import asdict
from typing import Any, get_args

import pytest

from captioning import telemetry
from captioning.budget.ledger import Budget
from captioning.domain.messages import NotificationMessage
from captioning.domain.record import FINAL, Status
from captioning.errors import AuthRefused, BudgetSpent, ModelGone, ServiceThrottled
from captioning.maintenance.reconcile import ReconcileReport
from captioning.webhook import sender
from testing.factories.records import FULL, START
from testing.harness.bicep import INFRA
from testing.harness.deployment import WHOLE, deployment
from testing.paths import ROOT

QUERIES = {file.stem: file.read_text("utf-8") for file in (INFRA / "queries").glob("*.kql")}
LINES = {
    "image": telemetry._fields(FULL, 1.0).keys(),
    "reconcile": {"event", *asdict(ReconcileReport())},
    "notify": sender._fields("delivered", NotificationMessage("a.jpg", START)).keys(),
    "budget": {"event", *asdict(Budget(None, None, 0, 0))},
}
"""The keys of each kind of line in the log, from the code that writes it."""
ALONE = {"images", "overlooked", "stopped", "untold", "budget", "latency"}
"""Queries that begin with a table; the others go on where images.kql ends."""


def code_of(query: str) -> str:
    """Without its comments."""
    return "\n".join(line for line in query.splitlines() if not line.lstrip().startswith("//"))


def alerts(name: str) -> dict[str, dict[str, Any]]:
    """Properties of the alerts by name."""
    rules = deployment(name).of("Insights/scheduledQueryRules")
    return {rule["name"]: rule["properties"] for rule in rules}


def asked(name: str) -> list[str]:
    """Every query that is deployed, in alerts and workbook."""
    in_alerts = [rule["criteria"]["allOf"][0]["query"] for rule in alerts(name).values()]
    data = deployment(name).one("Insights/workbooks")["properties"]["serializedData"]
    items = json.loads(data)["items"]
    return [*in_alerts, *(i["content"]["query"] for i in items if "query" in i["content"])]


def spans() -> set[str]:
    """Names that the code gives spans; `chat MODEL` is the one that is made up."""
    found = set()
    for file in (ROOT / "captioning").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and "span" in {
                getattr(node.func, "id", ""),
                getattr(node.func, "attr", ""),
            }:
                found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return {str(name) for name in found}


@pytest.mark.parametrize("query", asked("new"), ids=range(len(asked("new"))))
def test_every_key_that_is_asked_for_is_logged(query: str) -> None:
    keys = set(re.findall(r"\bline\.(\w+)", query))
    events = re.findall(r"""startswith '\{"event": "(\w+)"'""", query)
    if "traces" not in code_of(query):
        assert not keys
        return
    [event] = events
    assert keys
    assert keys <= LINES[event]


def test_a_line_begins_as_the_queries_say() -> None:
    for event in LINES:
        assert any(f"""startswith '{{"event": "{event}\"'""" in q for q in QUERIES.values()), event
        assert json.dumps({"event": event, "a": 1}).startswith(f'{{"event": "{event}"')


def test_every_status_and_code_that_is_compared_exists() -> None:
    text = "\n".join(map(code_of, QUERIES.values()))
    statuses = re.findall(r'status (?:==|in) \(?((?:"\w+"(?:, )?)+)', text)
    assert {name for found in statuses for name in re.findall(r"\w+", found)} <= set(
        get_args(Status)
    )
    finals = re.findall(r"status in \(([^)]*)\)", text)
    assert finals
    assert all(set(re.findall(r"\w+", found)) == FINAL - {"unreadable"} for found in finals)
    codes = re.findall(r'code (?:==|!=|in) \(?((?:"\w+"(?:, )?)+)', text)
    known = {kind.code for kind in (AuthRefused, ModelGone, ServiceThrottled, BudgetSpent)}
    assert {name for found in codes for name in re.findall(r"\w+", found)} == known


def test_the_steps_that_are_timed_are_spans_of_the_app() -> None:
    [steps] = re.findall(r"name in \(([^)]*)\)", QUERIES["latency"])
    assert set(re.findall(r'"(\w+)"', steps)) == spans()


def test_every_query_is_deployed_and_starts_somewhere() -> None:
    deployed = "\n".join(asked("new"))
    for name, query in QUERIES.items():
        assert code_of(query).lstrip().startswith("|") == (name not in ALONE), name
        assert query in deployed, name


@pytest.mark.parametrize("name", WHOLE)
def test_there_is_an_alert_for_all_that_wants_somebody(name: str) -> None:
    assert alerts(name).keys() == {
        "failed-images",
        "broken-service",
        "old-backlog",
        "throttled",
        "overlooked-images",
        "missing-images",
        "untold-images",
        "budget",
    }
    metric = deployment(name).one("Insights/metricAlerts")["properties"]
    assert metric["criteria"]["allOf"][0]["metricName"] == "DeadLetteredCount"
    assert metric["scopes"] == [deployment(name).one("EventGrid/systemTopics")["id"]]


@pytest.mark.parametrize("name", WHOLE)
def test_alerts_reach_somebody_where_an_address_is_given(name: str) -> None:
    groups = [group["id"] for group in deployment(name).of("Insights/actionGroups")]
    assert len(groups) == (name == "new")
    for rule in alerts(name).values():
        assert rule["actions"]["actionGroups"] == groups
    metric = deployment(name).one("Insights/metricAlerts")["properties"]
    assert [action["actionGroupId"] for action in metric["actions"]] == groups


def test_an_alert_looks_at_all_the_time_since_its_last_look() -> None:
    minutes = {"PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60, "P1D": 1440}
    for rule in alerts("new").values():
        assert minutes[rule["evaluationFrequency"]] <= minutes[rule["windowSize"]]
