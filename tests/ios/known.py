"""A phone that was used before, and whose server can't be reached now."""

from __future__ import annotations

from pathlib import Path

from tests.ios.opening import Secrets

from autopilot.client.keychain import Kept, Keychain, KeychainTokenStore
from autopilot.client.offline_cache import Kind, OfflineCache
from autopilot.client.tokens import Credentials
from autopilot.testing.principal import Principal
from autopilot_ios.app import CACHE, MARKER


async def known(storage: Path, number: int) -> dict[str, str]:
    """What its Keychain holds; `storage` becomes its own folder, with a list of so many workers in the cache."""
    secrets: dict[str, str] = {}
    keychain = await Keychain.opened(Secrets(secrets))
    server = "http://127.0.0.1:9"
    store = KeychainTokenStore(keychain)
    async with store.exclusive():
        store.save(Credentials("token", "refresh", user_id=1, email="ada@example.org", base_url=server))
    await keychain.put(Kept.SERVER, server)
    cache = OfflineCache(storage / CACHE, await keychain.cache_key(), server=server, user_id=1)
    principal = Principal()
    workers = [principal.work(f"desktopw:{name}") for name in range(number)]
    await cache.keep(Kind.WORKERS, workers)
    await cache.aclose()
    (storage / MARKER).touch()
    return secrets
