"""What Codex must be told to talk to the scripted model: its config.toml and its model catalogue. Pure text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MODEL = "autopilot-demo"
PROVIDER = "autopilot-demo"


def model_catalog(**more: Any) -> dict[str, Any]:
    """The content of `model_catalog_json`: makes the model known to Codex, which offers apply_patch only then."""
    level = {"effort": "medium", "description": "the only one"}
    model: dict[str, Any] = {
        "slug": MODEL,
        "display_name": "Scripted demo model",
        "visibility": "list",
        "priority": 1,
        "supported_in_api": True,
        "support_verbosity": False,
        "experimental_supported_tools": [],
        "supported_reasoning_levels": [level],
        "default_reasoning_level": "medium",
        "truncation_policy": {"mode": "tokens", "limit": 10000},
        "base_instructions": "You play a script.",
        "shell_type": "unified_exec",
        "apply_patch_tool_type": "freeform",
        "context_window": 100000,
    }
    return {"models": [model | more]}


def config_toml(base_url: str, catalog: Path, *, retries: int = 1, top: str = "", tables: str = "") -> str:
    """The config.toml that points Codex at `base_url`; `top` and `tables` are more lines of TOML.

    Without `plugins` Codex asks nobody outside at its start; `update_plan` is off unless asked for.
    """
    return f"""model = "{MODEL}"
model_provider = "{PROVIDER}"
model_catalog_json = {json.dumps(str(catalog))}
check_for_update_on_startup = false
{top}
[analytics]
enabled = false

[features]
plugins = false

[tools.update_plan]
enabled = true
{tables}
[model_providers.{PROVIDER}]
name = "Scripted demo model"
base_url = {json.dumps(base_url)}
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false
request_max_retries = {retries}
stream_max_retries = {retries}
stream_idle_timeout_ms = 60000
"""
