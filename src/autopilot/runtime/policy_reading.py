"""Policy documents, from TOML or JSON text: read, checked, and made into values.

Relies on document_text.py for the text and the faults that are told, on policy_sections.py for what may be said. Pure;
never changes the text. Source: docs/guide/policy.md.
"""

from __future__ import annotations

from functools import partial

from autopilot.runtime import document_text
from autopilot.runtime.document_text import MAX_TEXT_BYTES
from autopilot.runtime.policy_document import INSTALLATION, Contents
from autopilot.runtime.policy_sections import contents_of

INVALID = "policy_invalid"

__all__ = ["INVALID", "MAX_TEXT_BYTES", "read"]


def read(text: str, text_format: str, subject: str = INSTALLATION) -> Contents:
    """What `text` says. `text_format`: `toml` or `json`; `subject`: the kind of whose document it is.

    Raises:
        Unprocessable: `policy_invalid`; see document_text.read.
    """
    return document_text.read(text, text_format, INVALID, partial(contents_of, subject=subject))
