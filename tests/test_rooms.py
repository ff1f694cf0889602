"""Imports keep to the rooms table of docs/architecture.md, and what plays live has no torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING_LIBRARIES = {"torch", "nnAudio", "onnx", "onnxscript", "mir_eval", "scipy", "tqdm"}
LIVE_ROOMS = ("engine", "livecover")


def rooms() -> dict[str, list[str]]:
    """Room -> modules of other rooms that it may import, as the table says."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \|.*\|(.*)\|$", text, flags=re.MULTILINE)
    return {room: re.findall(r"`([\w.]+)`", may) for room, may in rows}


def imports(source: str, package: str) -> set[str]:
    """Every dotted name that ``source``, a module of ``package``, imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level]
            parts = [*(parents if node.level else []), *([node.module] if node.module else [])]
            found |= {".".join([*parts, alias.name]) for alias in node.names}
    return found


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def trespasses(source: str, package: str, table: dict[str, list[str]]) -> list[str]:
    """The imports of other rooms that the table does not allow."""
    room = package.split(".")[0]
    allowed = [room, *table[room]]
    return sorted(
        name
        for name in imports(source, package)
        if name.split(".")[0] in table
        and not any(name == a or name.startswith(f"{a}.") for a in allowed)
    )


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


def test_the_table_is_read() -> None:
    table = rooms()
    assert set(table) == {"models", "engine", "offline_train", "livecover"}
    assert table["models"] == []
    assert "models.spec" in table["engine"]


@pytest.mark.parametrize("room", ["models", "engine", "offline_train", "livecover"])
def test_imports_keep_to_the_table(room: str) -> None:
    table = rooms()
    assert files(room)
    broken = {
        str(path.relative_to(ROOT)): names
        for path in files(room)
        if (names := trespasses(path.read_text(encoding="utf-8"), package_of(path), table))
    }
    assert broken == {}


@pytest.mark.parametrize(
    ("package", "source", "expected"),
    [
        ("engine", "import models.conv", ["models.conv"]),
        ("engine", "from models import conv, spec", ["models.conv"]),
        ("engine", "def f():\n    from livecover.cli import main", ["livecover.cli.main"]),
        ("engine", "from models.spec import ModelSpec\nimport models.shipped", []),
        ("engine", "from .notes import NoteEvent\nfrom . import rings\nimport numpy", []),
        ("models", "from ..engine import notes", ["engine.notes"]),
        ("livecover", "import models", ["models"]),
    ],
)
def test_a_trespass_is_seen(package: str, source: str, expected: list[str]) -> None:
    assert trespasses(source, package, rooms()) == expected


@pytest.mark.parametrize("room", LIVE_ROOMS)
def test_live_rooms_name_no_training_library(room: str) -> None:
    named = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in files(room)
        if (
            found := {n.split(".")[0] for n in imports(path.read_text("utf-8"), package_of(path))}
            & TRAINING_LIBRARIES
        )
    }
    assert named == {}


def test_onnx_runtime_is_imported_where_it_is_told_to_keep_quiet() -> None:
    named = {
        str(path.relative_to(ROOT))
        for room in rooms()
        for path in files(room)
        if any(
            name.split(".")[0] == "onnxruntime"
            for name in imports(path.read_text("utf-8"), package_of(path))
        )
    }
    assert named == {"engine/graph.py", "offline_train/quantize.py"}


def test_live_modules_load_without_torch() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in LIVE_ROOMS
        for path in files(room)
        if path.name not in ("__init__.py", "__main__.py")
    ]
    assert "livecover.cli" in modules
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[2:]: importlib.import_module(name)\n"
        "print(*sorted(set(sys.argv[1].split(',')) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(sorted(TRAINING_LIBRARIES)), *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
