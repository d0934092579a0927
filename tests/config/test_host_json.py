"""host.json: what the platform is told, and that the embedded host reads the same file."""

from __future__ import annotations

import json
from typing import Any

from captioning.embedded.host.functions import HostConfig
from testing.paths import ROOT

HOST_JSON: dict[str, Any] = json.loads((ROOT / "host.json").read_text("utf-8"))


def test_telemetry_goes_out_as_opentelemetry() -> None:
    """The host's own spans are then the parents of ours. The worker needs, beside this, the package
    and PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY."""
    assert HOST_JSON["telemetryMode"] == "OpenTelemetry"
    assert "applicationInsights" not in HOST_JSON["logging"], "ignored in that mode"
    assert "azure-monitor-opentelemetry==" in (ROOT / "requirements.txt").read_text("utf-8")


def test_the_line_of_each_image_passes_the_hosts_filter() -> None:
    assert HOST_JSON["logging"]["logLevel"]["captioning"] == "Information"


def test_the_embedded_host_has_no_use_for_telemetry() -> None:
    without = {name: value for name, value in HOST_JSON.items() if name != "telemetryMode"}
    assert HostConfig.read(HOST_JSON, {}) == HostConfig.read(without, {})
