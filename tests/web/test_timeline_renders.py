"""Every kind of item has a look, and nobody's text is anything but text in it."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode
from tests.web import hostile, timelines

from autopilot.client.presenters import times
from autopilot.client.presenters.timeline import present
from autopilot.client.timeline_form import KINDS
from autopilot.client.timeline_items import AgentMessage, CommandExecution, Item, UserMessage
from autopilot.client.timeline_records import Handshake
from autopilot.web.timeline import RENDERERS, Caps, Look, element_id, render
from autopilot.web.timeline.cache import RenderCache

ELEMENTS = {
    *("article", "header", "footer", "div", "p", "span", "b", "i", "em", "strong", "s", "a", "bdi", "time", "br", "hr"),
    *("pre", "code", "details", "summary", "ol", "ul", "li", "dl", "dt", "dd", "blockquote", "figure", "img"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    "*": {"class", "dir"},
    "article": {"id", "data-key", "data-seq", "data-at", "aria-label"},
    "a": {"href", "rel", "target"},
    "img": {"src", "alt", "loading", "decoding"},
    "time": {"datetime"},
    "details": {"open"},
    "pre": {"tabindex", "data-language"},
    "div": {"tabindex"},
    "span": {"data-o", "data-n", "aria-label", "aria-hidden", "role"},
    "ol": {"start"},
}
CLASS = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
OURS = re.compile(r"/(w/[^/?#]*/(artifacts|items)/[^/?#]*|inbox/[^/?#]*|trace/[^/?#]*)")
THEIRS = re.compile(r"(https?://|mailto:)[^\s\"'<>`]+", re.IGNORECASE)
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
HIDDEN = re.compile("[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
LOOK = Look(worker_id='w"><b>', names=timelines.NAMES)


def parsed(html: str) -> LexborNode:
    """The one element that the HTML is, as a browser reads it."""
    tree = LexborHTMLParser(f"<main>{html}</main><aside id=after></aside>")
    assert tree.body is not None
    main, after = list(tree.body.iter(include_text=True))
    assert (main.tag, after.tag) == ("main", "aside")
    (article,) = main.iter(include_text=True)
    return article


def check(item: Item, look: Look = LOOK) -> str:
    html = str(render(item, look))
    html.encode("utf-8")
    assert not HIDDEN.search(html)
    article = parsed(html)
    assert article.tag == "article"
    assert article.attributes["id"] == element_id(item)
    assert (article.attributes["class"] or "").startswith(f"item k-{item.kind} ")
    for node in article.traverse():
        _check_node(node)
    return html


def _check_node(node: LexborNode) -> None:
    tag = node.tag or ""
    assert tag in ELEMENTS, tag
    allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set())
    assert set(node.attributes) <= allowed, (tag, node.attributes)
    assert all(CLASS.fullmatch(name) for name in (node.attributes.get("class") or "").split())
    if tag == "a":
        _check_link(node)
    if tag == "img":
        assert PICTURE.fullmatch(node.attributes["src"] or "")
    if tag == "article":
        assert node.parent is not None
        assert node.parent.tag == "main"


def _check_link(node: LexborNode) -> None:
    href = node.attributes["href"] or ""
    if node.attributes.get("target") == "_blank":
        assert THEIRS.fullmatch(href), href
        assert node.attributes["rel"] == "noopener noreferrer nofollow"
    else:
        assert OURS.fullmatch(href), href


@cache
def corpus() -> list[str]:
    return hostile.strings()


def test_the_story_has_every_kind_and_all_of_them_render():
    story = timelines.story()

    assert {item.kind for item in story} == set(KINDS)
    assert {type(present(item)) for item in story} == set(RENDERERS)
    for item in story:
        check(item)


@pytest.mark.parametrize("path", timelines.RECORDINGS, ids=lambda path: path.stem)
def test_every_recorded_session_renders(path):
    for item in timelines.recorded(path):
        check(item)


@pytest.mark.parametrize("number", range(len(hostile.CORPUS.read_text("ascii").splitlines()) - 1))
def test_no_hostile_text_is_anything_but_text(number):
    for item in hostile.items(corpus()[number]):
        check(item)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(-hostile.HUGE, 0))
def test_no_size_of_a_text_breaks_a_rendering_or_makes_it_large(number):
    for item in hostile.items(corpus()[number]):
        html = check(item)
        assert len(html) < 3_000_000


@given(st.text(alphabet=st.characters(), max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_text_at_all_is_anything_but_text(text):
    for item in hostile.items(text):
        check(item)


PIECES = [
    *(
        "<",
        ">",
        '"',
        "'",
        "`",
        "[",
        "](",
        ")",
        "![",
        "http://localhost/",
        "javascript:",
        "\n",
        "    ",
        "# ",
        "> ",
        "- ",
        "|",
        "\\",
    ),
    *("&#60;", "script", " onload=", "\x1b[31m", "\x1b]8;;", "\x07", "```", "~~", "*", "_", "a"),
]
pieces = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(pieces)
@example("[words]()")
@example("[](<>) ![words]()")
@settings(max_examples=300, deadline=None)
def test_no_markdown_makes_an_element_that_is_not_allowed(text):
    check(AgentMessage(key="k", seq=1, last_seq=1, at="", text=text))
    check(UserMessage(key="k", seq=1, last_seq=1, at="", text=text))
    check(CommandExecution(key="k", seq=1, last_seq=1, at="", command=text, output=text))


@given(st.text(), st.text())
def test_ids_are_names_and_differ_where_keys_do(one, other):
    ids = [element_id(AgentMessage(key=key, seq=1, last_seq=1, at="")) for key in (one, other)]

    assert all(re.fullmatch(r"i[0-9a-f]{18}", name) for name in ids)
    assert (ids[0] == ids[1]) == (one == other)


def command(output: str) -> LexborNode:
    return parsed(str(render(CommandExecution(key="k", seq=1, last_seq=1, at="", output=output, wholes=()))))


def test_a_long_output_keeps_head_and_tail_and_says_how_much_is_between():
    article = command("".join(f"line {number}\n" for number in range(100)))
    text = article.text()

    assert "76 lines more" in text
    assert text.index("line 11\n") < text.index("76 lines more") < text.index("line 99\n")
    assert article.css_first("details.more pre") is not None


def test_colours_are_classes_and_other_escapes_are_dropped():
    article = command(
        "\x1b[1;31mred\x1b[0m plain \x1b]8;;http://localhost\x07link\x1b]8;;\x07 \x1b[2Jdone\n50 %\r100 %"
    )

    assert [(span.text(), span.attributes["class"]) for span in article.css("pre.term span")] == [("red", "b f1")]
    assert article.css_first("pre.term").text() == "red plain link done\n100 %\n"


def test_a_colour_lasts_over_lines_and_folds():
    article = command("\x1b[32m" + "green\n" * 100)
    spans = article.css("pre.term span.f2")

    assert len(spans) == 100


def test_a_handshake_that_nobody_answered_says_so_when_the_time_is_over():
    item = Handshake(key="k", seq=1, last_seq=1, at="2026-11-23T08:00:00Z", handshake_id="h", status="open")
    asked = times.parsed(item.at)
    assert asked is not None
    early, late = (str(render(item, now=asked + timedelta(seconds=seconds))) for seconds in (29, 31))

    assert "Waiting for the companion" in early
    assert "Waiting" not in late
    assert "Nobody answered" in late


def test_an_item_that_did_not_change_is_rendered_once():
    cache = RenderCache()
    item = AgentMessage(key="k", seq=1, last_seq=1, at="", text="Hello")
    html = cache.html(item, LOOK)

    assert cache.html(item, LOOK) is html
    assert cache.html(AgentMessage(key="k", seq=1, last_seq=1, at="", text="Hello"), LOOK) is html
    assert "Bye" in cache.html(AgentMessage(key="k", seq=1, last_seq=1, at="", text="Bye"), LOOK)
    assert cache.html(item, Look(worker_id="other")) is not html


def test_the_cache_is_bounded():
    cache = RenderCache(10_000)
    for number in range(200):
        cache.html(AgentMessage(key=f"{number}", seq=1, last_seq=1, at="", text="x" * 500))

    assert 1 < len(cache) < 20
    assert cache.characters <= 10_000


def test_a_usual_item_is_rendered_in_a_moment():
    """Well under a millisecond, Markdown under three; ten times that is for machines under load."""
    items = [item for item in timelines.story() if item.kind != "approval"]
    for item in items:
        str(render(item, LOOK))
    began = time.process_time()
    for item in items:
        str(render(item, LOOK))

    assert (time.process_time() - began) / len(items) < 0.01


def test_whole_caps_leave_nothing_out():
    from autopilot.web.timeline import WHOLE

    item = CommandExecution(key="k", seq=1, last_seq=1, at="", output="".join(f"{n}\n" for n in range(5000)))
    html = str(render(item, Look(caps=WHOLE)))

    assert "4999" in html
    assert "more" not in html
    assert "more" in str(render(item, Look(caps=Caps())))
