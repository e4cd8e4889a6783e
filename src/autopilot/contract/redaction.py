"""What must not be kept: credentials in values of telling keys, and credentials inside any string.

Pure: a value in, the same value (the very object) or a redacted copy out. `may_hold_secret` is the fast sieve over the
raw JSON text: most events pass it and are never walked. Used by the runtime for events, receipts and responses, and by
every process for its log lines. What it can't know: a secret without a telling key or shape, or one that is cut in two.
Source of the rule: docs/protocol.md, "Correlation and redaction".
"""

from __future__ import annotations

import re
from typing import Any

REDACTED = "[redacted]"

SECRET_SUFFIXES = (
    "token",
    "tokens",
    "secret",
    "secrets",
    "apikey",
    "apikeys",
    "authorization",
    "password",
    "passwd",
    "passphrase",
    "privatekey",
    "accesskey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "credential",
    "credentials",
    "cookie",
    "cookies",
)
"""A key that ends so, after folding, names a credential."""

TOKEN_COUNTS = frozenset(
    {
        "tokens",
        "totaltokens",
        "inputtokens",
        "cachedinputtokens",
        "cachewriteinputtokens",
        "cachecreationinputtokens",
        "cachereadinputtokens",
        "outputtokens",
        "reasoningoutputtokens",
        "reasoningtokens",
        "prompttokens",
        "completiontokens",
        "cachedtokens",
        "audiotokens",
        "texttokens",
        "imagetokens",
        "thinkingtokens",
        "maxtokens",
        "maxinputtokens",
        "maxoutputtokens",
        "maxcompletiontokens",
        "usedtokens",
        "remainingtokens",
        "budgettokens",
        "contexttokens",
        "tokenstotal",
    }
)
"""Folded keys that count tokens of a language model: their numbers stay."""

_SECRET = re.compile(
    r"""
    \b(?:
      (?P<scheme>[Bb][Ee][Aa][Rr][Ee][Rr]\s+)[A-Za-z0-9._~+/=-]{6,}      # an Authorization value
    | eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*            # a JWT
    | (?:sk|rk|pk)-[A-Za-z0-9_-]{16,}                                    # OpenAI, Anthropic and the like
    | (?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}                           # Stripe
    | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,}          # GitHub
    | glpat-[A-Za-z0-9_-]{16,}                                           # GitLab
    | xox[abeoprs]-[A-Za-z0-9-]{10,}                                     # Slack
    | (?:AKIA|ASIA)[0-9A-Z]{16}\b                                        # AWS
    | AIza[0-9A-Za-z_-]{30,}                                             # Google
    | ya29\.[0-9A-Za-z_-]{16,}                                           # Google OAuth
    | hf_[A-Za-z0-9]{20,} | npm_[A-Za-z0-9]{30,} | pypi-[A-Za-z0-9_-]{30,}
    | tskey-[A-Za-z0-9-]{16,} | dtn_[A-Za-z0-9]{16,}                     # Tailscale, Daytona
    | ap(?:[ar]t|pair)_[A-Za-z0-9_-]{16,}                                # our own: access, refresh, pairing
    | xapp-[A-Za-z0-9-]{10,} | whsec_[A-Za-z0-9+/=]{16,}                 # Slack, Stripe's webhooks
    | gsk_[A-Za-z0-9]{20,} | xai-[A-Za-z0-9]{20,} | pplx-[A-Za-z0-9]{20,} | nvapi-[A-Za-z0-9_-]{20,}
    | GOCSPX-[A-Za-z0-9_-]{16,} | do[opr]_v1_[a-f0-9]{32,}               # Google's OAuth clients, DigitalOcean
    | shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,} | dckr_pat_[A-Za-z0-9_-]{16,} | lin_api_[A-Za-z0-9]{20,}
    | figd_[A-Za-z0-9_-]{20,} | ntn_[A-Za-z0-9]{20,} | sbp_[a-f0-9]{20,} | pscale_tkn_[A-Za-z0-9_-]{16,}
    | (?:PMAK|NRAK)-[A-Za-z0-9-]{20,} | AGE-SECRET-KEY-1[A-Z0-9]{20,}
    )
    | -----BEGIN[ A-Z0-9]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ A-Z0-9]*PRIVATE[ ]KEY-----|\Z)
    """,
    re.VERBOSE,
)
"""All but one begin at the border of a word, which is looked for once: most characters are inside one."""

_KEY_WORDS = "to(k)en (k)ey coo(k)ie se(c)ret (c)red authori(z) (p)ass"
"""Of the key of a credential one stands whole in it, in whatever case; separators may stand anywhere else."""

_WORDS = rf"""
{_KEY_WORDS}
s(k)- r(k)- p(k)- sk(_) rk(_) a(k)ia
ai(z)a (p)ypi- npm(_) gl(p)at- (b)ear ey(j) (x)ox (y)a29.
ghp(_) gho(_) ghu(_) ghs(_) ghr(_) pat(_) hf(_) dtn(_) (\)u
prt(_) air(_) dop(_) doo(_) dor(_) lin(_) igd(_) ntn(_) sec(_) pca(_) ppa(_) pss(_) sbp(_) tkn(_)
gocsp(x)- ppl(x)- (x)app- (x)ai- ma(k)- ra(k)- (p)i-
"""
"""Lower-case pieces of which every secret, or the key of one, has at least one; an escape may spell any. The search
stops only at the character in brackets, chosen for being rare in events and few in all: that makes it several times as
fast as looking for the words from their beginning."""


def _sieve(words: str) -> re.Pattern[bytes]:
    """One alternative for each character to stop at, which then looks around itself."""
    around: dict[str, dict[tuple[int, str], list[str]]] = {}
    for word in words.split():
        before, anchor, after = re.split(r"[()]", word)
        around.setdefault(anchor, {}).setdefault((len(before), after), []).append(re.escape(before + anchor))
    return re.compile("|".join(f"{re.escape(anchor)}(?:{_pieces(ends)})" for anchor, ends in around.items()).encode())


def _pieces(ends: dict[tuple[int, str], list[str]]) -> str:
    """What may stand around an anchor. All that end alike and are of one length are one look back."""
    return "|".join(
        (f"(?<={'|'.join(befores)})" if length else "") + re.escape(after) for (length, after), befores in ends.items()
    )


_SIEVE = _sieve(_WORDS)
_AWS_SESSION = b"ASIA"
_KELVIN = "\N{KELVIN SIGN}".encode()
"""The one character beyond ASCII that folds to a letter of ASCII alone: a key may be written with it."""
ESCAPE = rb"\u"
"""Of the pieces, the one that may spell any other."""
PIECES = (*(re.sub(r"[()]", "", word).encode() for word in _WORDS.split()), _AWS_SESSION.lower(), _KELVIN)
"""All that the sieve looks for, in lower case: text in which none of them stands passes it."""
_SEPARATORS = re.compile(r"[\W_]+")
_WHOLE = re.compile("|".join(re.sub(r"[()]", "", word) for word in _KEY_WORDS.split()))


def may_hold_secret(raw: bytes) -> bool:
    """Whether JSON text needs a closer look; False is certain, True is not."""
    return _SIEVE.search(raw.lower()) is not None or _AWS_SESSION in raw or (not raw.isascii() and _KELVIN in raw)


def redact(value: Any) -> Any:
    """The value without credentials: the same object where there are none. Keys, order and shapes stay."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return _redact_object(value)
    if isinstance(value, list):
        items = [redact(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def redact_text(text: str) -> str:
    """Words without credentials; the same string where there are none."""
    if _SECRET.search(text) is None:
        return text
    return _SECRET.sub(lambda match: (match["scheme"] or "") + REDACTED, text)


def is_secret_key(key: str) -> bool:
    """Whether the values of this key are credentials, unless they are counts of tokens.

    It ends so, after folding, and has one of the words whole that the sieve looks for: `api-key` and `pass_word` are,
    `to_ken` is not, which the sieve could not see.
    """
    return _SEPARATORS.sub("", key).lower().endswith(SECRET_SUFFIXES) and _WHOLE.search(key.lower()) is not None


def _redact_object(value: dict[str, Any]) -> dict[str, Any]:
    changed = False
    made: dict[str, Any] = {}
    for key, old in value.items():
        new = _blank(key, old) if is_secret_key(key) else redact(old)
        changed = changed or new is not old
        made[key] = new
    return made if changed else value


def _blank(key: str, value: Any) -> Any:
    """The value of a secret key: leaves are replaced, the shape stays; what says nothing stays."""
    if isinstance(value, bool) or value is None or value == "":
        return value
    if isinstance(value, (int, float)) and _SEPARATORS.sub("", key).lower() in TOKEN_COUNTS:
        return value
    if isinstance(value, dict):
        return {inner: _blank(key, leaf) for inner, leaf in value.items()} if value else value
    if isinstance(value, list):
        return [_blank(key, leaf) for leaf in value] if value else value
    return value if value == REDACTED else REDACTED
