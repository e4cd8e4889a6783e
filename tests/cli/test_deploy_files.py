"""What we ship to run Autopilot under systemd and in a container names what exists, and gives away nothing."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from autopilot.cli.main import make_app, run

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/autopilot.service"
CONTAINER = ROOT / "deploy/container/Containerfile"


def service() -> dict[str, list[str]]:
    """Section [Service], each name with all its values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def commands() -> list[list[str]]:
    words = re.findall(r'"([^"]+)"', CONTAINER.read_text().rsplit("CMD", 1)[1])
    return [shlex.split(service()["ExecStart"][0])[1:], words]


@pytest.mark.parametrize("command", commands(), ids=["systemd", "container"])
def test_what_is_started_is_a_command_with_options_that_it_has(command: list[str]) -> None:
    called, bound, _ = make_app().parse_args(command, exit_on_error=False, print_error=False)

    assert called.__name__ == "up"
    assert bound.arguments["companion"] is False


def test_the_unit_can_write_to_one_folder_and_gain_nothing() -> None:
    said = service()

    for name, value in {
        "User": "autopilot", "ProtectSystem": "strict", "StateDirectory": "autopilot", "StateDirectoryMode": "0700",
        "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "LimitCORE": "0",
        "ProtectHome": "yes", "PrivateTmp": "yes",
    }.items():  # fmt: skip
        assert said[name] == [value]
    assert "ReadWritePaths" not in said
    assert "AUTOPILOT_HOME=/var/lib/autopilot" in said["Environment"][0]


def test_the_container_ends_up_as_nobody_special_with_one_volume() -> None:
    last = CONTAINER.read_text().rsplit("\nFROM ", 1)[1]

    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001"]
    assert re.findall(r"^VOLUME (.+)$", last, re.MULTILINE) == ["/var/lib/autopilot"]
    assert "RUN" not in last.split("\nUSER ")[1]


def test_every_setting_that_a_guide_or_file_of_deployment_names_is_documented() -> None:
    documented = set(re.findall(r"^\| `(AUTOPILOT_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    files = [ROOT / "docs/guide/deploy.md", *(path for path in (ROOT / "deploy").rglob("*") if path.is_file())]
    named = {name for path in files for name in re.findall(r"AUTOPILOT_[A-Z_]+", path.read_text())}

    assert named - documented == set()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("AUTOPILOT_PUBLIC_URL", "autopilot.example.com", "no URL of a server"),
        ("AUTOPILOT_TRUSTED_PROXIES", "the proxy", "does not appear to be an IPv4 or IPv6"),
        ("AUTOPILOT_CORS_ORIGINS", "*", "is no origin"),
        ("AUTOPILOT_TLS_KEY", "/nowhere", "one of them is not set"),
    ],
)
def test_up_says_at_once_what_is_wrong_with_a_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str, value: str, words: str
) -> None:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(setting, value)

    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert run(["up", "--no-companion"]) != 0
    assert words in " ".join(said.getvalue().split())
    assert not (tmp_path / "home").exists()
