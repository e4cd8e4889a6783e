"""Autopilot: see and steer OpenAI Codex sessions from a phone, the web and a terminal."""

__version__ = "0.1.0"
