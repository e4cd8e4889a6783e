"""Stylesheets that several people write, and browsers get as one: a name means one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from importlib.resources import files

import autopilot.web

CSS = files(autopilot.web) / "static" / "css"
SHARED = {
    "card": "20-controls gives its look, pages the place of its heading",
    "block": "70-records gives its look, 44-places the place of its labels",
    "told": "41-worker gives its look, 42-worker-pages that of code in it",
    "notice": "10-frame gives its look, 41-worker the button that takes it away",
    "busy": "a tone of dots and pills: 40-list",
}
"""Classes that more than one file begins a selector with, and why that is meant."""


def selectors() -> dict[str, set[str]]:
    """Class that a selector begins with -> the files where one does."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in CSS.iterdir():
        rules = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
        for heads in re.findall(r"([^{};]+)\{", rules):
            for head in heads.split(","):
                begun = re.match(r"\s*\.([A-Za-z][\w-]*)(?=[\s>:]|$)", head)
                if begun:
                    found[begun[1]].add(file.name)
    return found


def test_a_class_belongs_to_one_stylesheet():
    shared = {name: sorted(where) for name, where in selectors().items() if len(where) > 1}
    assert {name: where for name, where in shared.items() if name not in SHARED} == {}


def test_no_stylesheet_asks_anybody_for_anything():
    for file in CSS.iterdir():
        text = file.read_text("utf-8")
        assert "@import" not in text, file.name
        assert not re.search(r"url\((?!['\"]?data:)", text), file.name
