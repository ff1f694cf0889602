"""The documentation says what is there: commands parse, README's links lead somewhere.

Links within ``docs/`` are checked by ``make docs``.
"""

import re
import shlex
from pathlib import Path

import pytest

from engine.core.settings import AudioSettings, TimeSettings
from engine.model.latency import latency_budget
from engine.model.model_files import load_model
from engine.signal.resample import Resampler
from livecover.options.parser import parse
from offline_train.cli import build_parser

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Return the commands of ours in the page, as a shell would take them apart."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = [block for _, language, block in FENCE.findall(text) if language in ("", "sh")]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    lines += re.findall(r"(?<!`)`(livecover [^`\n]+)`", text)
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("livecover")]
    return [found for found in words if found[0] in ("livecover", "livecover-train")]


def slug(heading: str) -> str:
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_those_that_exist(page: Path) -> None:
    for name, *arguments in commands(page):
        try:
            if name == "livecover":
                parse(arguments)
            else:
                build_parser().parse_args(arguments)
        except SystemExit as end:
            assert not end.code, f"{page.name}: {name} {shlex.join(arguments)}"


def test_readme_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        assert (ROOT / path).is_file(), target
        if anchor:
            page = (ROOT / path).read_text(encoding="utf-8")
            assert anchor in map(slug, re.findall(r"^#+ (.+)$", page, re.MULTILINE)), target


def test_pages_name_one_latency() -> None:
    """That of the model ``live`` from a file of 44.1 kHz, as the program prints it."""
    spec = load_model("live", "cpu", 1).spec
    delay = Resampler(44100, spec.features.sample_rate, 2).delay
    block = AudioSettings().block_size / 44100
    budget = latency_budget(spec, TimeSettings(), block=block, resampler=delay)
    assert budget.describe() in (ROOT / "docs/latency.md").read_text(encoding="utf-8")
    shown = f"{budget.total * 1000:.0f}"
    for page in ("README.md", "docs/first-sound.md", "docs/latency.md", "docs/daw/index.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        said = re.findall(r"latency\D{0,40}? (\d{3}) ms", text)
        assert said and set(said) == {shown}, page


def test_pages_name_one_size() -> None:
    readme, results = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results.md")
    )
    (measured,) = re.findall(r"installed without extras.*\n.*\n\| all +\| (\d+) ", results)
    said = re.findall(r"without extras \|(?:.*\|)? (\d+) MB", readme + results)
    assert len(said) == 2 and set(said) == {measured}


def test_every_page_has_its_place() -> None:
    places = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        assert re.search(rf": {re.escape(name)}$", places, re.MULTILINE), (
            f"{name}: not in mkdocs.yml"
        )


def test_what_is_to_be_changed_is_there() -> None:
    """Each file and folder that the walks through the rooms name, but those that are to be made."""
    text = (ROOT / "docs/change-something.md").read_text(encoding="utf-8")
    named = {n for n in re.findall(r"`([\w./-]+)`", text) if re.search(r"/|\.(md|toml)$", n)}
    assert len(named) > 30
    gone = [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert gone == []
    for walk in ("A network", "A source", "A control"):
        assert f"## {walk} of" in text


def test_pages_name_files_that_are_there() -> None:
    """``NAME`` stands for one of the reader's own; caches are in the user's folders."""
    tops = "engine|livecover|models|offline_train|recipes|scripts|tests"
    caches = ("livecover/salamander", "livecover/voices")
    missing = {
        f"{page.relative_to(ROOT)}: {path}"
        for page in (*PAGES, ROOT / "CONTRIBUTING.md")
        for path in re.findall(rf"`((?:{tops})/[\w./-]+)`", page.read_text(encoding="utf-8"))
        if "NAME" not in path and path not in caches and not (ROOT / path).exists()
    }
    assert missing == set()
