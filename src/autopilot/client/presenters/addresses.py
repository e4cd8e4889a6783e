"""What a person is told about a server's address before anything is sent there."""

from __future__ import annotations

from autopilot.client.addresses import ServerAddress


def warnings(address: ServerAddress) -> tuple[str, ...]:
    """Sentences to be read before going on; none where nothing is to be said."""
    said = []
    if not address.is_encrypted and address.standing == "private":
        said.append(
            "The connection is not encrypted: whoever is in the same network can read along and act as you."
            " Use it in a network of your own, or through a VPN."
        )
    if not address.is_encrypted and address.standing == "loopback":
        said.append("The connection is not encrypted, and only a server on this very device is reached by it.")
    if address.reads_as is not None:
        said.append(
            f"This name is not in plain letters: it reads as “{address.reads_as}”, and is really {address.host}."
            " Names that look alike may belong to others."
        )
    return tuple(said)
