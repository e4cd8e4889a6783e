"""The panel that asks who is there: a passkey, or a code by mail. What was asked for before goes on afterwards."""

from __future__ import annotations

import htpy as h

from autopilot.web.parts.blocks import posts

HOLDS = "Some things take a fresh proof that it is you. It holds for ten minutes, in this browser only."


def ask(*, has_passkeys: bool, email: str | None, problem: h.Node = None) -> h.Node:
    """Choose how."""
    return [
        h.h2(id="proof-title")["Is it you?"],
        h.p[HOLDS],
        _problem(problem),
        _passkey() if has_passkeys else None,
        h.form({**posts("/step-up/send"), "hx-target": "closest .proof", "hx-swap": "innerHTML"})[
            h.button(type="submit", class_=None if has_passkeys else "primary")[
                "Mail me a code" if email else "Send me a code"
            ],
        ],
        _close(),
    ]


def code(email: str | None, problem: h.Node = None) -> h.Node:
    """Type the code that was mailed."""
    return [
        h.h2(id="proof-title")["Is it you?"],
        h.p[
            "We sent a code to ",
            h.b(dir="auto")[email] if email else "you",
            ". Without mail it is on the server's console.",
        ],
        h.form({**posts("/step-up/code"), "hx-target": "closest .proof", "hx-swap": "innerHTML"})[
            h.label(for_="proof-code")["Code"],
            h.input(
                "#proof-code",
                type="text",
                name="code",
                inputmode="numeric",
                autocomplete="one-time-code",
                required=True,
                autofocus=True,
                maxlength="20",
            ),
            _problem(problem),
            h.div(".buttons")[
                h.button(type="button", data_close=True)["Cancel"], h.button(".primary", type="submit")["Go on"]
            ],
        ],
    ]


def held(until: h.Node, *, has_passkeys: bool) -> h.Node:
    """A session that came in by mail although there are passkeys can't prove more by mail."""
    return [
        h.h2(id="proof-title")["Not from here yet"],
        h.p[
            "You signed in here by mail although your account has passkeys. Until ",
            until,
            " it can't do what takes more proof. Use your passkey here, or confirm it elsewhere, under Devices.",
        ],
        _passkey() if has_passkeys else None,
        _close(),
    ]


def _passkey() -> h.Node:
    return [
        h.button(".primary", type="button", data_passkey="step-up")["Use a passkey"],
        h.p(".problem", role="alert", data_passkey_said=True, hidden=True),
    ]


def _close() -> h.Element:
    return h.div(".buttons")[h.button(type="button", data_close=True)["Cancel"]]


def _problem(words: h.Node) -> h.Node:
    return h.p(".problem", role="alert")[words] if words else None
