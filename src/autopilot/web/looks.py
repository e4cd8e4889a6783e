"""How one browser wants its pages: light or dark, times relative or exact. Kept in a cookie of its own, and no secret.

The server writes the choice into the page itself, so that nothing is repainted after it was shown. A browser that chose
nothing follows its system.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "autopilot-looks"
HEADER = "x-autopilot-looks"
"""Of a screen: what was chosen, for the service worker: what it kept before looks so too (static/sw.js)."""
KEPT_SECONDS = 400 * 86_400
"""Browsers keep none for longer."""
THEMES = ("system", "light", "dark")
TIMES = ("relative", "exact")


@dataclass(frozen=True, slots=True)
class Looks:
    """What was chosen."""

    theme: str = "system"
    times: str = "relative"

    @classmethod
    def of(cls, request: Request) -> Looks:
        """Of the browser that asks; what it can't mean counts as not chosen."""
        theme, _, times = request.cookies.get(COOKIE, "").partition(".")
        return cls.chosen(theme, times)

    @classmethod
    def chosen(cls, theme: str, times: str) -> Looks:
        """As written, where that is known."""
        return cls(theme if theme in THEMES else "system", times if times in TIMES else "relative")

    @property
    def written(self) -> str:
        """As it is kept."""
        return f"{self.theme}.{self.times}"

    def keep(self, response: Response, *, secure: bool) -> None:
        """Have the browser keep it."""
        response.set_cookie(
            COOKIE, self.written, max_age=KEPT_SECONDS, path="/", secure=secure, httponly=True, samesite="strict"
        )

    def attributes(self) -> dict[str, str]:
        """Of the page's `html` element: CSS and scripts go by them."""
        theme = {} if self.theme == "system" else {"data-theme": self.theme}
        return {**theme, **({"data-times": self.times} if self.times == "exact" else {})}


UNCHOSEN = Looks()
