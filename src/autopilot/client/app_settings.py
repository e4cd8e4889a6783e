"""What a person chose for this app on this phone, kept in its Keychain: nobody else changes it; signing out ends it.

Only what has no place on the server. A value that can't be read is one that somebody chose: it counts as the careful
choice. Source of where it lies: keychain.py.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from autopilot.client.keychain import Kept, Keychain
from autopilot.client.observable import Observable


@dataclass(frozen=True, slots=True)
class Chosen:
    """All that can be chosen."""

    asks_for_owner: bool = False
    """Whether the phone has to recognise its owner before anything is administered."""


CAREFUL = Chosen(asks_for_owner=True)


class AppSettings(Observable[Chosen]):
    """The settings of one app."""

    def __init__(self, keychain: Keychain) -> None:
        super().__init__()
        self._keychain = keychain

    @property
    def asks_for_owner(self) -> bool:
        """See `Chosen`."""
        return self._seen().asks_for_owner

    async def ask_for_owner(self, *, wanted: bool) -> None:
        """Choose whether the owner is asked for.

        Raises:
            StorageFailed: chosen, but the Keychain does not keep it for now.
        """
        chosen = replace(self._seen(), asks_for_owner=wanted)
        try:
            await self._keychain.put(Kept.SETTINGS, json.dumps(asdict(chosen), sort_keys=True))
        finally:
            self._change()

    def _seen(self) -> Chosen:
        text = self._keychain.get(Kept.SETTINGS)
        if text is None:
            return Chosen()
        try:
            said = json.loads(text)["asks_for_owner"]
        except (ValueError, KeyError, TypeError):
            return CAREFUL
        return Chosen(asks_for_owner=said) if isinstance(said, bool) else CAREFUL
