"""What is typed to bring what is missing, for each way in which livecover may be installed."""

import re
import shutil
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.system import extras

ROOT = Path(__file__).parents[3]
REQUIRES = [
    "numpy>=1.26",
    'librosa>=0.11; extra == "arrange"',
    "music21>=9.1; extra == 'arrange'",
    'setuptools<81; extra == "other"',
    "pulsectl>=24.4; sys_platform == 'linux' and extra == 'other'",
]
MISSING = "finding beats needs librosa, which is not installed; type: "


def installed(monkeypatch: pytest.MonkeyPatch, prefix: Path, source: str | None = None) -> None:
    """Have livecover installed into ``prefix`` from an index or, with ``source``, as that says."""
    found = SimpleNamespace(name="our-name", requires=REQUIRES, read_text=lambda name: source)
    point = SimpleNamespace(module="livecover.__main__", dist=found)
    other = SimpleNamespace(module="another.cli", dist=SimpleNamespace(name="another"))
    monkeypatch.setattr(extras, "entry_points", lambda group, name: [other, point])
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sys, "executable", str(prefix / "bin" / "python"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())


def beats() -> str:
    return extras.needs("finding beats needs librosa", "arrange")


def test_by_pipx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, '{"url": "file:///tmp/x.whl"}')
    (tmp_path / "pipx_metadata.json").touch()
    assert beats() == MISSING + "pipx inject our-name librosa music21"
    assert extras.needs("x", "other").endswith("pipx inject our-name 'setuptools<81' pulsectl")
    expected = "pipx inject our-name basic-pitch --pip-args=--no-deps"
    assert extras.install(["basic-pitch"], ["--no-deps"]) == expected


def test_by_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path)
    assert beats() == f"{MISSING}{tmp_path}/bin/python -m pip install librosa music21"
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / "bin" / name))
    assert beats() == f"{MISSING}python -m pip install librosa music21"


def test_by_uv_there_is_no_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    expected = f"uv pip install --python {tmp_path}/bin/python librosa music21"
    assert beats() == MISSING + expected


def test_from_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, '{"dir_info": {"editable": true}, "url": "file:///x"}')
    expected = f"{MISSING}{tmp_path}/bin/python -m pip install -e '{ROOT}[arrange]'"
    assert beats() == expected

    monkeypatch.setattr(extras, "entry_points", lambda group, name: [])  # a folder on the path
    assert beats() == expected


def test_in_the_app_nothing_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "does not carry: install livecover with Python" in beats()
    assert "type:" not in beats()


def test_what_is_installed_here_is_found_by_its_command() -> None:
    assert "matplotlib" in extras.packages_of("demo")


def test_every_extra_that_a_message_names_is_one() -> None:
    names = {
        name
        for room in ("engine", "livecover", "offline_train")
        for path in (ROOT / room).rglob("*.py")
        for name in re.findall(r'needs\([^)]*?, "(\w+)"\)', path.read_text(encoding="utf-8"))
    }
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    known = set(
        re.findall(r"^(\w+) = \[", project.split("optional-dependencies]")[1], re.MULTILINE)
    )
    assert {"demo", "match"} <= names <= known


def test_the_name_on_an_index_stands_in_one_file() -> None:
    """The command and what is imported are livecover; only pipx is told the other name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = project["name"]
    assert name != "livecover"
    rooms = ("engine", "livecover", "models", "offline_train", "scripts", "tests")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert [path for path in sources if name in path.read_text(encoding="utf-8")] == []
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    assert set(re.findall(r"pipx inject ([\w-]+)", pages)) == {name}


def test_nobody_is_told_to_install_another_program_of_that_name() -> None:
    """PyPI's livecover is not this one."""
    wrong = re.compile(r"(pip|pipx|uv|uvx) (tool )?install ['\"]?" + "livecover")
    rooms = ("engine", "livecover", "models", "offline_train", "tests", "docs", "scripts")
    texts = [*ROOT.glob("*.*"), *(path for room in rooms for path in (ROOT / room).rglob("*.*"))]
    for path in texts:
        if path.suffix in (".py", ".md", ".toml", ".html", ".js"):
            assert not wrong.search(path.read_text(encoding="utf-8")), path
