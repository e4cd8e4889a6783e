"""The daemon beside Codex: drives it, mirrors its events, executes requests."""
