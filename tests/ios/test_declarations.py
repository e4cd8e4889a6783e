"""What the app tells iOS and Apple: parsed as they parse it, and no more than it needs."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest
from tests.ios import bundle

MANIFEST = Path(bundle.ROOT / "ios/PrivacyInfo.xcprivacy")
REASONS = {
    "NSPrivacyAccessedAPICategoryFileTimestamp": {"DDA9.1", "C617.1", "3B52.1", "0A2A.1"},
    "NSPrivacyAccessedAPICategorySystemBootTime": {"35F9.1", "8FFB.1", "3D61.1"},
    "NSPrivacyAccessedAPICategoryDiskSpace": {"85F4.1", "E174.1", "7D9E.1", "B728.1"},
    "NSPrivacyAccessedAPICategoryUserDefaults": {"CA92.1", "1C8F.1", "C56D.1", "AC6B.1"},
}
"""Apple's list of reasons that may be given."""
USED_BY_PYTHON_AND_FLUTTER = set(REASONS)


@pytest.fixture
def info() -> dict:
    return bundle.project()["tool"]["flet"]["ios"]["info"]


@pytest.fixture
def manifest() -> dict:
    return plistlib.loads(MANIFEST.read_bytes())


def test_the_app_says_to_apple_that_it_collects_and_tracks_nothing(manifest):
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyTrackingDomains"] == []
    assert manifest["NSPrivacyCollectedDataTypes"] == []


def test_every_interface_that_takes_a_reason_has_one_of_apple_s(manifest):
    said = {
        one["NSPrivacyAccessedAPIType"]: one["NSPrivacyAccessedAPITypeReasons"]
        for one in manifest["NSPrivacyAccessedAPITypes"]
    }

    assert len(said) == len(manifest["NSPrivacyAccessedAPITypes"])
    assert said.keys() == USED_BY_PYTHON_AND_FLUTTER
    for kind, reasons in said.items():
        assert len(reasons) > 0
        assert set(reasons) <= REASONS[kind]


def test_what_it_asks_of_a_person_is_the_local_network_and_the_face_and_nothing_else(info):
    asked = {key for key in info if key.endswith("UsageDescription")}

    assert asked == {"NSLocalNetworkUsageDescription", "NSFaceIDUsageDescription"}
    assert all(len(info[key]) > 40 and info[key].endswith(".") for key in asked)
    assert "permissions" not in bundle.project()["tool"]["flet"]


def test_the_system_s_own_network_code_is_held_to_https_outside_the_local_network(info):
    assert info["NSAppTransportSecurity"] == {"NSAllowsArbitraryLoads": False, "NSAllowsLocalNetworking": True}


def test_nothing_of_the_app_is_shown_to_other_apps_or_runs_in_the_background(info):
    assert info.keys() & {"UIFileSharingEnabled", "LSSupportsOpeningDocumentsInPlace", "UIBackgroundModes"} == set()


def test_the_declarations_are_a_property_list(info):
    assert plistlib.loads(plistlib.dumps(info)) == info


def test_links_of_the_scheme_open_the_app():
    assert bundle.project()["tool"]["flet"]["ios"]["deep_linking"] == {"scheme": "autopilot", "host": "pair"}


def test_the_app_pins_flet_and_its_version_is_the_installation_s():
    project = bundle.project()["project"]
    pinned = [one for one in project["dependencies"] if one.startswith("flet")]

    assert pinned
    assert all(one.endswith("==1.0.5") for one in pinned)
    assert f'__version__ = "{project["version"]}"' in (bundle.ROOT / "src/autopilot/__init__.py").read_text()
