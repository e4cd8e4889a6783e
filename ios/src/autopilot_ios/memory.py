"""When Python looks for garbage on a phone. Standard library only: it is asked before anything else is loaded."""

from __future__ import annotations

import gc

COLLECT = (2_000, 4, 125)
"""So that one look takes a third of a millisecond, now and then two (bench/ios.py), and a million objects at most wait
to be found. A full timeline has some ten thousand controls: looking through all of them for every few hundred new
objects, as Python does unasked, costs more than drawing an event, and a look at many new ones at once is a pause."""


def begin() -> None:
    """Look for none while the app starts: nearly all that is made then stays."""
    gc.disable()


def settle() -> None:
    """The first picture stands: what is there by now is looked through no more, and what comes in small parts."""
    if gc.isenabled():
        return
    gc.freeze()
    gc.set_threshold(*COLLECT)
    gc.enable()
