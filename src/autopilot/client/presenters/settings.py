"""The words of the phone's settings. Pure."""

from __future__ import annotations

from autopilot import __version__
from autopilot.client.presenters import errors
from autopilot.client.presenters.labels import Label
from autopilot.contract import VERSION
from autopilot.contract.errors import AutopilotError

ASKS = "Ask for Face ID"
ASKS_ABOUT = (
    "Before anything is asked, answered, stopped or changed. Looking needs none; the app switcher shows nothing."
)
NO_FACE = "This device has neither Face ID nor a passcode to ask for."
CHANGING = "Change who has to be recognised"
TOLD = "By the app while it is open; by the web app on the home screen meanwhile."
THEME = "As the system's"
SIGN_OUT_MEANS = (
    "Ends this phone's session, and wipes what it keeps: its key, and what it remembers for a start offline."
)


def versions() -> tuple[tuple[str, str], ...]:
    """Of what this app is."""
    return (("Autopilot", __version__), ("Contract", VERSION))


def not_told(error: AutopilotError) -> Label:
    """That all is wiped here, but the server does not know."""
    if error.code == "storage_failed":
        return Label(errors.words(error), "bad")
    return Label(
        "Signed out here, but the server could not be told: revoke this phone under Devices on another one.", "warn"
    )
