"""A model that plays a script: the Responses API over SSE on loopback, so that real Codex runs with no network.

The user's message carries the script, so the server keeps no state and a script survives a restart of either side.
A message without a script gets the demo's story (`story.py`). Owns nothing outside its process; relies on the standard
library only; never calls anything, anywhere.
"""

from __future__ import annotations

from autopilot.companion.codex.scripted_model.configuration import config_toml, model_catalog
from autopilot.companion.codex.scripted_model.conversation import script
from autopilot.companion.codex.scripted_model.server import ScriptedModel

__all__ = ["ScriptedModel", "config_toml", "model_catalog", "script"]
