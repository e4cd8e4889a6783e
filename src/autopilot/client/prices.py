"""The calls about prices: what tokens cost (docs/protocol.md, "Prices")."""

from __future__ import annotations

from autopilot.client.calls import Calls, one, path_of
from autopilot.contract import PriceTable, SetPrices, encode


class PriceCalls(Calls):
    """What one may do with the price table."""

    async def prices(self) -> PriceTable:
        """The table in force; version 0 where there is none."""
        return one(PriceTable, await self._http.call("prices.get", "GET", path_of("prices")))

    async def set_prices(self, prices: SetPrices) -> PriceTable:
        """Put a new version in force. Takes a token with `admin`.

        Raises:
            Conflict: `version`: another one is in force than expected; `reprices`: what was used already would cost
                something else, and `prices.reprice` does not say that this is meant.
            Unprocessable: the document has faults; a detail for each.
        """
        return one(PriceTable, await self._http.call("prices.set", "POST", path_of("prices"), body=encode(prices)))
