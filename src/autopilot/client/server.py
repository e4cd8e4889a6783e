"""The calls about the server itself: is it ready? Nobody needs a token for them."""

from __future__ import annotations

from autopilot.client.calls import Calls
from autopilot.contract.errors import Unavailable


class ServerCalls(Calls):
    """What one may ask of the server."""

    async def missing(self) -> tuple[str, ...]:
        """Which of its parts do not answer (`database`, `runtime`, …); empty: it is ready.

        Raises:
            NetworkError: nobody answers at all.
        """
        try:
            await self._http.call("ready", "GET", "/readyz", retry=False)
        except Unavailable as error:
            said = error.fact("missing")
            return tuple(str(one) for one in said) if isinstance(said, list) and said else ("server",)
        return ()
