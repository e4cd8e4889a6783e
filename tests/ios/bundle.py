"""What would be in the app: the client's wheel as it is built, the app's own files, and what both depend on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "ios/client"
BESIDE = (ROOT / "ios/pyproject.toml", ROOT / "ios/PrivacyInfo.xcprivacy")
"""What becomes the app's own description of itself."""
COMPILED = (".so", ".pyd", ".dylib", ".a", ".o")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
BUILD = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"


def project() -> dict:
    return tomllib.loads((ROOT / "ios/pyproject.toml").read_text("utf-8"))


def app() -> Path:
    """The folder that `flet build` packs, assets and all."""
    return ROOT / "ios" / project()["tool"]["flet"]["app"]["path"]


def built(folder: Path) -> Path:
    """The client's wheel, made as `flet build` has it made, but with the build backend that is here."""
    command = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(command, cwd=CLIENT, capture_output=True, text=True, check=True, timeout=60)
    return folder / done.stdout.split()[-1]


def interpreters() -> dict[str, str]:
    """Every Python of ours that is on this machine; the one that runs the tests is always among them."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {}
    for version in PYTHONS:
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        candidates = [sys.executable] if version == own else [*map(str, pyenv), shutil.which(f"python{version}")]
        path = next((path for path in candidates if path and works(path, version)), None)
        if path is not None:
            found[version] = path
    return found


def works(path: str, version: str) -> bool:
    """Whether it is what its name says: shims may lead to nothing."""
    asked = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() == version


def closure(requirements: list[str], python: str) -> dict[str, metadata.Distribution]:
    """All distributions that these need on an iPhone with that Python, by name, as they are installed here."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "ios",
        "platform_system": "iOS",
        "extra": "",
    }
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker is not None and not wanted.marker.evaluate(environment)):
            continue
        found[name] = metadata.distribution(name)
        waiting += [Requirement(text) for text in found[name].requires or []]
    return found


def is_compiled(distribution: metadata.Distribution) -> bool:
    """Whether it is made for one machine, by what it says or by what is in it."""
    said = distribution.read_text("WHEEL") or ""
    tags = re.findall(r"^Tag: (.+)$", said, re.MULTILINE)
    files = [str(file) for file in distribution.files or []]
    return any(not tag.endswith("-none-any") for tag in tags) or any(file.endswith(COMPILED) for file in files)


def copied(distribution: metadata.Distribution, site: Path) -> None:
    """Install it there: a pure distribution is its files, and those of its programs are left out."""
    for file in distribution.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


def empty_environment(python: str, folder: Path) -> tuple[Path, Path]:
    """A virtual environment with nothing in it, not even pip: its interpreter and its site-packages."""
    command = [python, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    (site,) = folder.glob("lib/python*/site-packages")
    return folder / "bin/python", site


def texts(wheel: Path) -> dict[str, bytes]:
    """Every file that would be in the app, by its name, but for what others made."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for path in [*app().rglob("*"), *BESIDE]:
        if path.is_file() and "__pycache__" not in path.parts:
            files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    return files
