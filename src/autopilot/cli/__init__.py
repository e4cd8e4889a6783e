"""The autopilot command."""
