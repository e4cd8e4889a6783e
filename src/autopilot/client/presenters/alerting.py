"""How one is told on an iPhone: by the app while it is open, and by the web app on the home screen meanwhile. Pure.

The steps are those of docs/guide/notifications.md; a test holds them together.
"""

from __future__ import annotations

WHILE_OPEN = (
    "While this app is open it tells what comes over its stream: questions, failures, what you asked for. The badge "
    "counts what waits for you."
)
WHILE_CLOSED = (
    "It is told nothing while it is closed: Apple wakes only apps that go through its own servers, and this one does "
    "not yet. The web app can be: its notifications come by Web Push, encrypted, also while nothing is open."
)
STEPS = (
    "Open the web app over trusted HTTPS in Safari: your server's address.",
    "Add it to the home screen: Share, Add to Home Screen. Open it from there.",
    "In it: Settings, Notifications, Turn on in this browser, and let the browser show them.",
    "Send a test. It goes out at once, to all of your devices.",
)
