"""The words that both screens of a pairing show: a short authentication string over everything that was said.

Pure. The side that began committed itself to its nonce before it saw the other one, and the other side sent its nonce
before it saw that one: whoever stands between them has one try in 2^32 at making the words of both screens the same.
Source: docs/protocol.md, "Pairing".
"""

from __future__ import annotations

import hashlib
import secrets

from autopilot.contract import Pairing, PairingDevice
from autopilot.contract.errors import AutopilotError

NONCE_BYTES = 32
_LIST = """
acid actor album alley amber angel ankle apple apron arena arrow aspen atlas attic award bacon badge bagel baker
bamboo banjo barn basil beach beard beaver bench berry bishop bison blade blanket blossom board bonus boxer brick
bridge broom bubble bucket butter cabin cactus camel candle canoe canyon carbon cargo carpet castle cedar cello chalk
cherry chess cider circus clay cliff clock cloud clover coach cobra coffee comet copper coral cotton couch crane
crater cricket crown crystal cup daisy dance delta desert diamond dinner doctor dolphin donkey dragon drum eagle easel
echo elbow ember engine fabric falcon farmer feather fern fiddle finger flag flute forest fossil fox galaxy garden
garlic gazelle ghost giant ginger glacier globe goat gold grape guitar hammer harbor hazel helmet heron hockey honey
horizon hotel igloo ink iron island ivory jacket jaguar jelly jigsaw judge jungle kayak kettle kitten koala ladder
lagoon lamp laser lava lemon lily lion lizard lobster lotus lumber magnet mango maple marble market meadow melon
mirror mitten monkey moose motor mountain museum napkin nectar needle nickel ninja noodle oasis ocean olive onion
opera orbit otter oyster paddle panda paper parrot peach pebble pencil pepper piano pigeon pillow pilot planet plum
pony poppy potato prism pumpkin puzzle quartz rabbit radar raven ribbon river robot rocket saddle salmon sandal satin
scarf shadow silver skate spider sponge spruce squid stable statue sugar sunset tango teapot temple ticket tiger
timber tomato torch tractor trumpet tulip tunnel turbine turtle umbrella velvet violin volcano waffle wagon walnut
willow window winter wizard yogurt zebra zipper
"""
WORDS = tuple(_LIST.split())
"""256 of them: a word is a byte."""
SHOWN = 4


class PairingTampered(AutopilotError):
    """What came back is not what this side sent, or not what the other side committed itself to: show no words."""

    code = "pairing_tampered"


def fresh_nonce() -> str:
    """32 random bytes in hex: a nonce, or a ticket."""
    return secrets.token_hex(NONCE_BYTES)


def commitment_of(nonce: str) -> str:
    """What is said of a nonce before it is revealed."""
    return hashlib.sha256(bytes.fromhex(nonce)).hexdigest()


def words_of(pairing: Pairing) -> tuple[str, ...] | None:
    """The four words, over what is in `pairing`; None while a nonce is missing.

    Raises:
        PairingTampered: the nonce that was revealed is not the one committed to.
    """
    if pairing.claimer_nonce is None or pairing.starter_nonce is None:
        return None
    if commitment_of(pairing.starter_nonce) != pairing.commitment:
        raise PairingTampered("the other side revealed another nonce than it had committed itself to")
    device = pairing.device or PairingDevice()
    said = (
        "autopilot pairing 1",
        pairing.pairing_id,
        pairing.way,
        pairing.kind,
        pairing.commitment,
        pairing.claimer_nonce,
        pairing.starter_nonce,
        device.device_name or "",
        device.device_platform or "",
        device.installation_id or "",
        device.machine_id or "",
        device.public_key or "",
    )
    transcript = hashlib.sha256()
    for text in said:
        raw = text.encode("utf-8", "surrogatepass")
        transcript.update(len(raw).to_bytes(4, "big") + raw)
    return tuple(WORDS[byte] for byte in transcript.digest()[:SHOWN])
