"""The scripts say in one line what they need, with exit code 2, before they do anything."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.programs import needs

SCRIPTS = Path(__file__).parents[1] / "scripts"

pytestmark = needs("bash")


def run(script: str, *arguments: str, path: str | None = None) -> str:
    """Return the line that a script says when it refuses."""
    done = subprocess.run(
        [shutil.which("bash") or "bash", SCRIPTS / script, *arguments],
        env={**os.environ, **({"PATH": path} if path else {})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and not done.stdout and done.stderr.count("\n") == 1, done
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of programs: what the scripts begin with, and ``id`` that says 0."""
    for name in ("dirname", "realpath"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    write(tmp_path / "id", "echo 0")
    return tmp_path


def write(path: Path, command: str) -> None:
    path.write_text(f"#!{shutil.which('bash')}\n{command}\n")
    path.chmod(0o755)


def test_fresh_root_names_what_it_needs(folder: Path) -> None:
    path = str(folder)
    assert "expected root on Debian or Ubuntu" in run("fresh-root", "--check", path=path)
    assert "there is no apt" in run("fresh-root", "--check", path=path)
    write(folder / "apt-config", "")
    assert "apt-get install debootstrap" in run("fresh-root", "--check", path=path)
    write(folder / "debootstrap", "")
    write(folder / "unshare", "exit 1")
    assert "mounting is not permitted" in run("fresh-root", "true", path=path)
    write(folder / "id", "echo 1000")
    assert "this is not root" in run("fresh-root", "true", path=path)


def test_fresh_root_wants_commands() -> None:
    assert "expected commands, such as 'make demo'" in run("fresh-root")
    assert "expected a built app's folder" in run("fresh-root", "--app", "nowhere", "true")


def test_install_system_knows_its_tiers() -> None:
    assert "expected demo, app, test or train, got 'all'" in run("install-system", "all")


def test_each_dependency_of_the_live_program_has_a_lowest_version() -> None:
    root = SCRIPTS.parent
    done = subprocess.run(
        [sys.executable, SCRIPTS / "lowest_versions.py", root / "pyproject.toml"],
        capture_output=True,
        text=True,
        check=True,
    )
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = done.stdout.splitlines()
    names = [re.split("[>;= ]", text)[0] for text in project["dependencies"]]
    assert [line.split("==")[0] for line in lines][: len(names)] == names


def test_the_public_ci_names_what_is_there() -> None:
    root = SCRIPTS.parent
    text = (root / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    commands = "\n".join(step.get("run", "") for step in steps)
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    for target in " ".join(re.findall(r"^make (.+)$", commands, re.MULTILINE)).split():
        assert re.search(f"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"(?:scripts|tests|livecover/examples)/[\w.-]+", commands):
        assert (root / path).exists(), path
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"'\.\[(\w+)\]'", commands):
        assert extra in extras["optional-dependencies"]
    systems = {
        system
        for job in jobs.values()
        for system in job.get("strategy", {}).get("matrix", {}).get("os", ())
    }
    assert systems == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert ".github" not in (root / ".ci/run").read_text(encoding="utf-8")
