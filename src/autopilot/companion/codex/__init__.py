"""Codex's app-server: its process, its connection, its words translated."""
