"""Markdown of anybody's as HTML: no HTML of its own, no address but http, https and mailto, nothing is loaded.

Images are links. Headings are no headings of the page. What is too long to be understood as Markdown is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import htpy as h
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup
from typing_extensions import override

from autopilot.client.presenters import visible
from autopilot.client.presenters.prose import LONGEST_ADDRESS, Prose, may_link
from autopilot.web.timeline.frame import left_out

REL = "noopener noreferrer nofollow"
_NESTING = 12
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,24}")
_BLOCKS = frozenset({"paragraph_open", "list_item_open", "blockquote_open", "th_open", "td_open"})
Options = Any
Rule = Callable[[RendererHTML, Sequence[Token], int, Options, Any], str]


def link(address: str, words: str) -> h.Node:
    """A link to elsewhere; only the words, where the address is none to go to."""
    if not may_link(address):
        return h.bdi[visible.line(words)]
    return h.a(href=visible.line(address, LONGEST_ADDRESS), rel=REL, target="_blank")[h.bdi[visible.line(words)]]


def rendered(text: Prose, *, breaks: bool = False, whole: str | None = None) -> h.Node:
    """A text as HTML, as far as it is shown.

    `breaks`: a line end is one, as people type; else as in Markdown. `whole`: where all of it is.
    """
    html = _ENGINES[breaks, text.finds_addresses].render(text.markdown, {}) if text.markdown else ""
    return h.div(".md")[
        Markup(visible.prose(html)),  # noqa: S704 - made by the rules below, which escape everything of the text's
        h.p(".rest", dir="auto")[text.plain] if text.plain else None,
        left_out(text.left_out, whole),
    ]


def _open(self: RendererHTML, tokens: Sequence[Token], index: int, options: Options, env: Any) -> str:
    tokens[index].attrSet("dir", "auto")
    return self.renderToken(tokens, index, options, env)


def _heading_open(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Options, _env: Any) -> str:
    return f'<p class="md-{tokens[index].tag}" dir="auto">'


def _heading_close(_self: RendererHTML, _tokens: Sequence[Token], _index: int, _options: Options, _env: Any) -> str:
    return "</p>\n"


def _link_open(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Options, env: Any) -> str:
    """A link; only its words, where it leads nowhere: `[words]()` is Markdown too."""
    address = str(tokens[index].attrGet("href") or "")
    env["linked"] = may_link(address)
    return _anchor(address) if env["linked"] else "<bdi>"


def _link_close(_self: RendererHTML, _tokens: Sequence[Token], _index: int, _options: Options, env: Any) -> str:
    was, env["linked"] = env["linked"], False
    return "</a>" if was else "</bdi>"


def _image(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Options, env: Any) -> str:
    """An image is a link to it: nothing is loaded from elsewhere."""
    address = str(tokens[index].attrGet("src") or "")
    words = escapeHtml(tokens[index].content or "Image")
    shown = f'<span class="image-word">{words}</span>'
    return shown if env.get("linked") or not may_link(address) else f"{_anchor(address)}{shown}</a>"


def _anchor(address: str) -> str:
    return f'<a href="{escapeHtml(address)}" rel="{REL}" target="_blank">'


def _code(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Options, _env: Any) -> str:
    token = tokens[index]
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    label = f' data-language="{language}"' if _LANGUAGE.fullmatch(language) else ""
    text = escapeHtml(visible.code(token.content))
    return f'<pre class="code" tabindex="0" dir="ltr"{label}><code>{text}</code></pre>\n'


def _code_inline(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Options, _env: Any) -> str:
    return f'<code dir="ltr">{escapeHtml(visible.code(tokens[index].content))}</code>'


def _table_open(_self: RendererHTML, _tokens: Sequence[Token], _index: int, _options: Options, _env: Any) -> str:
    return '<div class="table" tabindex="0"><table>\n'


def _table_close(_self: RendererHTML, _tokens: Sequence[Token], _index: int, _options: Options, _env: Any) -> str:
    return "</table></div>\n"


def _cell_open(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Options, _env: Any) -> str:
    """A cell; how it is aligned is an inline style of the renderer's own, and left out."""
    return f'<{tokens[index].tag} dir="auto">'


class _Markdown(MarkdownIt):
    @override
    def validateLink(self, url: str) -> bool:
        return may_link(url)


def _made(*, breaks: bool, linkify: bool) -> MarkdownIt:
    options = {"html": False, "linkify": linkify, "breaks": breaks, "typographer": False, "maxNesting": _NESTING}
    made = _Markdown("commonmark", options).enable(["table", "strikethrough", *(["linkify"] if linkify else [])])
    if made.linkify is not None:
        made.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    rules: dict[str, Rule] = {
        **dict.fromkeys(_BLOCKS, _open),
        "heading_open": _heading_open,
        "heading_close": _heading_close,
        "image": _image,
        "link_open": _link_open,
        "link_close": _link_close,
        "fence": _code,
        "code_block": _code,
        "code_inline": _code_inline,
        "table_open": _table_open,
        "table_close": _table_close,
        "th_open": _cell_open,
        "td_open": _cell_open,
    }
    for name, rule in rules.items():
        made.add_render_rule(name, rule)
    return made


_ENGINES = {
    (breaks, linkify): _made(breaks=breaks, linkify=linkify) for breaks in (False, True) for linkify in (False, True)
}
