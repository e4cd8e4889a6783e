"""Markdown for a reader that is not ours: no image is left in it, code stays as it is, nothing nests too deep."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt
from tests.web import hostile

from autopilot.client.presenters.markup import Piece, pieces
from autopilot.client.presenters.prose import prose

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
LIMIT = 12_000


def read(text: str, *, breaks: bool = False) -> tuple[Piece, ...]:
    return pieces(prose(text, LIMIT), breaks=breaks)


def kinds(text: str) -> set[str]:
    """The kinds of tokens that a reader of Markdown makes of what is handed to it."""
    found = set()
    for piece in read(text):
        if piece.kind == "markdown":
            for token in READER.parse(piece.text):
                found |= {token.type, *(child.type for child in token.children or ())}
    return found


def test_blocks_of_code_are_apart_and_as_they_were():
    found = read("Look:\n\n```py\nx = ![1]\n```\n\nand *that*.")
    assert found == (Piece("Look:"), Piece("x = ![1]", "code", "py"), Piece("and *that*."))


def test_a_block_of_code_that_is_still_coming_is_code_to_the_end():
    assert read("~~~\na = 1\n\nb = 2") == (Piece("a = 1\n\nb = 2", "code"),)


def test_a_fence_ends_only_where_one_as_long_does():
    assert read("````\n```\n````") == (Piece("```", "code"),)


@pytest.mark.parametrize(
    "text", ["![a](https://x.example/a.png)", "\\![a](b)", "\\\\![a](b)", "![a][r]\n\n[r]: b", "[![a](b)](c)"]
)
def test_an_image_is_a_link(text: str):
    assert "image" not in kinds(text)


@pytest.mark.parametrize("text", hostile.strings(), ids=lambda text: repr(text[:20]))
def test_no_hostile_text_leaves_an_image(text: str):
    assert "image" not in kinds(text[: 3 * LIMIT])


def test_what_people_type_keeps_its_line_ends():
    assert read("one\ntwo", breaks=True) == (Piece("one  \ntwo"),)


def test_an_entity_of_what_reorders_text_is_made_visible():
    assert read("&#x202e;gpj.exe &#8238; &#38;") == (Piece("⟨U+202E⟩gpj.exe ⟨U+202E⟩ &#38;"),)


@pytest.mark.parametrize("text", ["> " * 30 + "a", "- " * 20 + "a", "|a" * 80, "[" * 50])
def test_what_no_screen_has_room_for_is_plain(text: str):
    assert [piece.kind for piece in read(text)] == ["plain"]


def test_what_is_too_long_goes_on_as_plain_text():
    found = read("word \n" * 4000)
    assert [piece.kind for piece in found] == ["markdown", "plain"]
