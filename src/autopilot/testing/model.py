"""The scripted model provider, for tests: `async with ScriptedModel() as model`. Real Codex runs against it offline."""

from __future__ import annotations

from autopilot.companion.codex.scripted_model import ScriptedModel, config_toml, model_catalog, script
from autopilot.companion.codex.scripted_model.__main__ import main

__all__ = ["ScriptedModel", "config_toml", "model_catalog", "script"]

if __name__ == "__main__":
    main()
