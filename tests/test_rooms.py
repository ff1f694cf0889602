"""Which room may import which, and that what plays live has no torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING_LIBRARIES = {"torch", "nnAudio", "onnx", "onnxscript", "mir_eval", "scipy", "tqdm"}
TOP = ("models", "engine", "livecover", "offline_train")
LIVE_ROOMS = ("engine", "livecover")


# A room is a folder with modules. Here: room -> the rooms that it may import. A name stands for the
# folders in it too, as far as they stand above the room: nothing is imported from further down.
TABLE: dict[str, str] = {
    "models": "",
    "models.papers": "models",
    "models.shipped": "",
    # engine: the signal's way
    "engine.core": "models",
    "engine.system": "engine.core",
    "engine": "engine.system",
    "engine.signal": "engine.core",
    "engine.audio.devices": "engine.core engine.signal engine.system",
    "engine.audio.files": "engine.core engine.signal engine.system engine.audio.devices",
    "engine.audio.decoding": "engine.core engine.system engine.audio.files",
    "engine.audio.loopback": "engine.core engine.signal engine.system engine.audio.devices",
    "engine.audio.programs": "engine.core engine.signal engine.audio.devices engine.audio.loopback",
    "engine.audio": "engine.core engine.system "
    "engine.audio.devices engine.audio.files engine.audio.decoding engine.audio.loopback "
    "engine.audio.programs",
    "engine.model": "models models.shipped engine.core engine.system engine.signal",
    "engine.beat.steps": "models engine.core",
    "engine.beat": "models models.shipped engine.core engine.model engine.beat.steps",
    "engine.accompany": "models engine.core engine.model engine.beat",
    "engine.perform.tune": "models engine.core",
    "engine.perform": "models engine.core engine.perform.tune",
    "engine.midi.ports": "engine.core engine.system",
    "engine.midi": "engine.core engine.system engine.midi.ports",
    "engine.sync": "engine.core engine.system engine.midi",
    "engine.playback.outputs": "engine.core engine.system engine.audio.devices "
    "engine.audio.loopback",
    "engine.playback": "engine.core engine.system engine.signal engine.midi "
    "engine.audio.devices engine.playback.outputs",
    "engine.cover": "models models.shipped engine.core engine.system engine.signal engine.model "
    "engine.beat engine.accompany engine.perform engine.midi",
    "engine.live": "models engine.core engine.system engine.signal engine.audio engine.model "
    "engine.beat engine.accompany engine.perform engine.midi engine.cover",
    "engine.whole_song": "models engine.core engine.system engine.signal engine.audio "
    "engine.model engine.beat engine.perform engine.midi engine.cover",
    # livecover: the face
    "livecover.mapping": "engine",
    "livecover.settings": "engine livecover.mapping",
    "livecover.sounds": "engine livecover.settings",
    "livecover.examples": "",
    "livecover.takes": "engine livecover.settings livecover.sounds",
    "livecover.instrument": "engine livecover.mapping livecover.settings livecover.sounds "
    "livecover.takes",
    "livecover.control": "engine livecover.mapping livecover.settings livecover.instrument",
    "livecover.panel": "engine livecover.mapping livecover.settings livecover.takes "
    "livecover.instrument",
    "livecover.panel.web": "engine livecover.settings livecover.takes livecover.instrument "
    "livecover.panel",
    "livecover.options": "engine livecover.settings",
    "livecover.commands": "models engine livecover.mapping livecover.settings livecover.sounds "
    "livecover.options "
    "livecover.instrument livecover.examples",
    "livecover.tui": "models engine livecover.mapping livecover.settings livecover.instrument "
    "livecover.control livecover.commands",
    "livecover": "models engine livecover.settings livecover.sounds livecover.examples "
    "livecover.options livecover.instrument livecover.control livecover.panel "
    "livecover.commands livecover.tui",
    "livecover.bench": "models engine livecover",
    # offline_train: the order of the work
    "offline_train.corpora": "engine",
    "offline_train.synthesis.bands": "engine offline_train.corpora",
    "offline_train.synthesis.pianos": "engine offline_train.corpora",
    "offline_train.synthesis.voices": "engine offline_train.corpora",
    "offline_train.synthesis": "engine offline_train.corpora offline_train.synthesis.bands "
    "offline_train.synthesis.pianos offline_train.synthesis.voices",
    "offline_train.evaluation.measures": "models engine offline_train.corpora "
    "offline_train.synthesis",
    "offline_train.data": "models engine offline_train.corpora offline_train.synthesis",
    "offline_train.data.accompaniment": "models engine offline_train.corpora "
    "offline_train.synthesis offline_train.data offline_train.evaluation.measures",
    "offline_train.data.beats": "models engine offline_train.corpora offline_train.synthesis "
    "offline_train.data",
    "offline_train.evaluation.songs": "engine offline_train.corpora offline_train.synthesis "
    "offline_train.data",
    "offline_train.evaluation": "models engine offline_train.corpora offline_train.synthesis "
    "offline_train.data offline_train.evaluation.measures offline_train.evaluation.songs",
    "offline_train.evaluation.hearing": "models engine offline_train.corpora "
    "offline_train.synthesis offline_train.data offline_train.evaluation",
    "offline_train.evaluation.accompanying": "models engine offline_train.corpora "
    "offline_train.data offline_train.evaluation offline_train.evaluation.hearing",
    "offline_train.training": "models engine offline_train.data",
    "offline_train.training.cover": "models engine offline_train.data offline_train.training",
    "offline_train.recipes": "models engine offline_train.corpora offline_train.synthesis "
    "offline_train.data "
    "offline_train.training offline_train.evaluation",
    "offline_train.recipes.gpu": "engine offline_train.corpora offline_train.synthesis "
    "offline_train.data offline_train.training",
    "offline_train.exporting": "models engine offline_train.data offline_train.training "
    "offline_train.evaluation offline_train.recipes",
    "offline_train.studies": "engine offline_train.corpora",
    "offline_train.studies.matching": "models engine offline_train.corpora "
    "offline_train.synthesis offline_train.data offline_train.training offline_train.studies",
    "offline_train.studies.pairs": "engine offline_train.corpora offline_train.synthesis "
    "offline_train.data offline_train.evaluation",
    "offline_train.studies.own_covers": "models engine offline_train.corpora "
    "offline_train.synthesis offline_train.data offline_train.training offline_train.evaluation "
    "offline_train.recipes offline_train.exporting offline_train.studies",
    "offline_train.studies.arranging": "models engine offline_train.corpora "
    "offline_train.synthesis "
    "offline_train.data offline_train.training offline_train.evaluation "
    "offline_train.exporting offline_train.studies",
    "offline_train.studies.transcription": "models engine offline_train.corpora "
    "offline_train.synthesis offline_train.data offline_train.training "
    "offline_train.evaluation offline_train.exporting offline_train.studies",
    "offline_train.studies.exploration": "models engine offline_train.corpora "
    "offline_train.data offline_train.training offline_train.evaluation "
    "offline_train.recipes offline_train.exporting",
    "offline_train.studies.bounds": "models offline_train.corpora offline_train.data "
    "offline_train.evaluation",
    "offline_train.studies.records": "engine offline_train.synthesis offline_train.data "
    "offline_train.evaluation",
    "offline_train.commands": "models engine livecover.settings offline_train.corpora "
    "offline_train.synthesis "
    "offline_train.data "
    "offline_train.training offline_train.evaluation offline_train.recipes "
    "offline_train.exporting offline_train.studies",
    "offline_train": "engine offline_train.training offline_train.commands",
}
ONLY_SPEC = ("engine", "livecover")
"""Rooms that know no network: of ``models``, the specification and the files that ship."""


def is_allowed(name: str, room: str) -> bool:
    """Say whether a module of ``room`` may import ``name``, a module or something in one."""
    if name.partition(".")[0] == "models" and room.partition(".")[0] in ONLY_SPEC:
        return f"{name}.".startswith(("models.spec.", "models.shipped."))
    home = room_of(name)
    if home == room or name == "livecover.__version__":
        return True
    return home in below(room)


def below(room: str) -> list[str]:
    """Return the rooms that ``room`` may import; a name in the table stands for its folders too."""
    earlier = list(TABLE)[: list(TABLE).index(room)]
    return [
        other
        for may in TABLE[room].split()
        for other in (may, *(r for r in earlier if r.startswith(f"{may}.")))
    ]


def room_of(name: str) -> str:
    """Return the room that a dotted name lies in: the longest folder that it begins with."""
    parts = name.split(".")
    while ".".join(parts) not in TABLE:
        parts.pop()
    return ".".join(parts)


def imports(source: str) -> set[str]:
    """Every dotted name of ours that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def live_tests() -> list[Path]:
    """The tests of the live rooms, and what they share."""
    shared = ("conftest.py", "tiny.py", "note_streams.py")
    return [
        *(ROOT / "tests" / name for name in shared),
        *files("tests/engine"),
        *files("tests/livecover"),
    ]


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


def trespasses(source: str, room: str) -> list[str]:
    """The imports of other rooms that the table does not allow."""
    return sorted(
        name
        for name in imports(source)
        if name.partition(".")[0] in TOP and not is_allowed(name, room)
    )


def test_every_folder_with_modules_is_a_room_of_the_table() -> None:
    assert {package_of(path) for room in TOP for path in files(room)} == set(TABLE)


def test_the_table_has_no_circles() -> None:
    order = list(TABLE)
    for room in TABLE:
        later = [r for r in below(room) if order.index(r) >= order.index(room)]
        assert later == [], f"{room} may import what stands below it in the table"


def test_the_architecture_has_a_line_for_each_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w/]+)/` \|", text, flags=re.MULTILINE))
    assert named == {room.replace(".", "/") for room in TABLE}


@pytest.mark.parametrize("room", TABLE)
def test_imports_keep_to_the_table(room: str) -> None:
    broken = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / room.replace(".", "/")).glob("*.py"))
        if (names := trespasses(path.read_text(encoding="utf-8"), room))
    }
    assert broken == {}


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("engine.model", "import models.conv", ["models.conv"]),
        ("engine.model", "from models import conv, spec", ["models.conv"]),
        ("engine.core", "from models.spec import ModelSpec", []),
        ("engine.core", "from engine.midi import ports", ["engine.midi.ports"]),
        ("engine.midi", "def f():\n    from livecover.cli import main", ["livecover.cli.main"]),
        ("engine.midi", "from engine.core.notes import NoteEvent\nimport numpy", []),
        ("engine.audio.files", "from engine.audio import opening", ["engine.audio.opening"]),
        ("models", "from engine.core import notes", ["engine.core.notes"]),
        ("livecover.panel", "import models", ["models"]),
        ("livecover.panel", "from engine.live.engine import Engine", []),
        ("livecover.bench", "from livecover.panel import messages", []),
        ("livecover.panel", "from livecover.cli import main", ["livecover.cli.main"]),
    ],
)
def test_a_trespass_is_seen(room: str, source: str, expected: list[str]) -> None:
    assert trespasses(source, room) == expected


@pytest.mark.parametrize("room", LIVE_ROOMS)
def test_live_rooms_name_no_training_library(room: str) -> None:
    named = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in files(room)
        if (
            found := {n.split(".")[0] for n in imports(path.read_text("utf-8"))}
            & TRAINING_LIBRARIES
        )
    }
    assert named == {}


@pytest.mark.parametrize("path", live_tests(), ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_of_live_rooms_need_no_training_library(path: Path) -> None:
    """They hold where only the live program is installed: ``make live`` runs them so."""
    names = imports(path.read_text(encoding="utf-8"))
    assert not {name.split(".")[0] for name in names} & {*TRAINING_LIBRARIES, "offline_train"}
    assert not [name for name in names if name.startswith("tests.networks")]
    assert not [n for n in names if n.split(".")[0] == "models" and not is_allowed(n, "engine")]


def test_onnx_runtime_is_imported_where_it_is_told_to_keep_quiet() -> None:
    named = {
        str(path.relative_to(ROOT))
        for room in TOP
        for path in files(room)
        if any(name.split(".")[0] == "onnxruntime" for name in imports(path.read_text("utf-8")))
    }
    assert named == {"engine/model/graph.py", "offline_train/exporting/quantize.py"}


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
