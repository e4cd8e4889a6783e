"""Which words find a worker: those of its title, preview, folder, workspace and id.

The one rule of both sides: the runtime searches all workers by it, a screen those that it has. Letters are folded, so
that neither case nor the way in which a name's accents are written decides. Pure. Source: docs/protocol.md, "Workers".
"""

from __future__ import annotations

import unicodedata

FACTS = ("title", "preview", "cwd")
"""The facts that are searched; beside them `workspace_ref` and `worker_id`."""
MOST_CHARACTERS = 200
"""Of what one may search for."""


def folded(text: str) -> str:
    """The text without what does not matter."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def words_of(wanted: str) -> tuple[str, ...]:
    """What has to be found, each somewhere."""
    return tuple(folded(wanted).split())


def searched(*texts: str | None) -> str:
    """Where words are looked for: no word goes over from one text into the next."""
    return folded("\n".join(text for text in texts if text))
