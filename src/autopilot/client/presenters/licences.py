"""What the iPhone app is made of, and on which terms: a list for its settings. Pure.

Of what `flet build ios` puts into it (ios/pyproject.toml); tests compare the Python part with what is installed.
"""

from __future__ import annotations

OURS = "Autopilot is open source, under the Apache License 2.0."
NATIVE = (
    ("CPython", "PSF-2.0"),
    ("Flutter, Dart", "BSD-3-Clause"),
)
PYTHON = {
    "anyio": "MIT",
    "certifi": "MPL-2.0",
    "flet": "Apache-2.0",
    "flet-local-auth": "Apache-2.0",
    "flet-secure-storage": "Apache-2.0",
    "h11": "MIT",
    "httpcore": "BSD-3-Clause",
    "httpcore2": "BSD-3-Clause",
    "httpx": "BSD-3-Clause",
    "httpx2": "BSD-3-Clause",
    "idna": "BSD-3-Clause",
    "msgpack": "Apache-2.0",
    "oauthlib": "BSD-3-Clause",
    "repath": "MIT",
    "six": "MIT",
    "truststore": "MIT",
    "typing-extensions": "PSF-2.0",
}
"""Distributions, as they say themselves."""


def listed() -> tuple[tuple[str, str], ...]:
    """All of it: what, and its licence."""
    return (*NATIVE, *PYTHON.items())
