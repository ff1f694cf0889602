"""The panel's parts one by one: chroma, tap, send queue, choices, files."""

import asyncio
import json
import re
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ConfigError, DeviceError
from engine.core.notes import NoteEvent
from livecover.panel import choices, tap
from livecover.panel.choices import AllowList, find_choices
from livecover.panel.chroma import Chroma
from livecover.panel.requests import SETTABLE
from livecover.panel.tap import PanelTap
from livecover.panel.web import send_queue
from livecover.panel.web.page_files import load_page
from livecover.panel.web.send_queue import SendQueue
from livecover.settings.sections import Settings, values_of, with_values
from livecover.settings.source import load_settings
from livecover.settings.trust import ALWAYS
from tests.livecover.panel.fakes import NO_CONFIG


@pytest.mark.parametrize("sample_rate", [8000, 44100, 96000])
@pytest.mark.parametrize(("f0_hz", "pitch_class"), [(110.0, 9), (261.6, 0), (987.8, 11)])
def test_chroma_of_a_tone(sample_rate: int, f0_hz: float, pitch_class: int) -> None:
    chroma = Chroma(sample_rate)
    time = np.arange(round(0.5 * sample_rate)) / sample_rate
    tone = (0.1 * np.sin(2 * np.pi * f0_hz * time)).astype(np.float32)
    chroma.push(np.array_split(np.stack([tone, tone], axis=1), 30))
    values = chroma.values()
    assert int(np.argmax(values)) == pitch_class and max(values) == 255
    assert sorted(values)[-4] < 64  # a low one shares it with its neighbours, as they are near
    assert 0.07 < chroma.middle < 0.32


def test_chroma_of_silence_is_dark() -> None:
    chroma = Chroma(48000)
    assert chroma.values() == [0] * 12
    chroma.push([np.full((9000, 1), 1e-7, np.float32)])
    assert chroma.values() == [0] * 12


def test_a_tap_that_nobody_empties_stays_small() -> None:
    panel = PanelTap()
    panel.set_active(True)
    for k in range(tap.MAX_EVENTS + 5):
        panel.found([NoteEvent(0.0, 60, 90)], [float(k)])
        panel.audio(np.zeros((64, 1), np.float32), 0.0, 0.0)
    assert panel.n_lost == 5
    (message,) = panel.take_messages()
    assert isinstance(message["notes"], list)
    assert len(message["notes"]) == tap.MAX_EVENTS and message["notes"][0][0] == 5.0
    assert panel.take_messages() == []


def test_a_slow_page_keeps_the_newest_and_knows_what_it_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(send_queue, "MAX_WAITING", 104)

    async def read() -> str:
        box = SendQueue()
        for k in range(10, 20):
            box.put("notes", json.dumps({"type": "notes", "k": k}), n_notes=2)  # 26 characters
            box.put("status", json.dumps({"type": "status", "k": k}))
        box.flush()
        return await box.frame()

    frame = json.loads(asyncio.run(read()))
    assert frame[0] == {"type": "notes", "notes": [], "pedal": [], "n_lost": 12}
    assert [(m["type"], m["k"]) for m in frame[1:]] == [
        *(("notes", k) for k in range(16, 20)),
        ("status", 19),
    ]


def test_choices_where_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise DeviceError("audio input needs PortAudio;\ninstall it")

    monkeypatch.setattr(choices, "list_inputs", fail)
    found = find_choices()
    assert [i.name for i in found.inputs] == ["loopback", "together", "mic"]
    assert found.ports == ("LiveCover",)
    assert found.problems == (
        "audio input needs PortAudio; install it",
        "no MIDI system answers: start one",
    )


def test_what_was_in_use_may_be_chosen_again() -> None:
    allowed = AllowList(find_choices())
    given = {
        "audio.input": "song.mp3",
        "midi.midi_out": ["LiveCover", "take.mid"],
        "model.model": "my/own.onnx",
        "model.style": "from:take.mid",
    }
    for key, value in given.items():
        with pytest.raises(ConfigError):
            allowed.check({key: value})
    allowed.add_in_use(load_settings(NO_CONFIG, given))
    allowed.add_in_use(Settings())
    allowed.check(given)
    allowed.check({"audio.input": "USB Audio", "model.model": "transcribe", "model.style": "calm"})
    allowed.check({"model.style": [0.5] * 24, "midi.midi_out": ["LiveCover"]})
    with pytest.raises(
        ConfigError, match="^a style from a file: choose or drop the file on the page$"
    ):
        allowed.check({"model.style": " from:/etc/passwd"})


WORDS = {
    "midi.velocity_curve",
    "play.mode",
    "play.parts",
    "play.pedal",
    "play.rhythm",
    "beat.source",
    "beat.metre",
}
"""Texts that a page may set which are one of a few words."""


def test_every_text_that_a_page_may_set_is_offered_or_one_of_a_few_words() -> None:
    texts = {
        key
        for key, value in values_of(Settings()).items()
        if key in SETTABLE and isinstance(value, str | tuple)
    }
    allowed = AllowList(find_choices())
    for key in texts - WORDS:
        with pytest.raises(ConfigError):
            allowed.check({key: "from:/etc/passwd"})
    for key in WORDS:
        with pytest.raises(ConfigError):
            with_values(Settings(), {key: "/etc/passwd"})


def test_nothing_that_a_page_may_set_names_an_address_a_folder_or_a_program() -> None:
    assert SETTABLE & ALWAYS == {"sync.link"}  # it opens the network, and names nothing there
    assert not {key.partition(".")[0] for key in SETTABLE} & {"panel", "record", "log", "control"}


def test_the_page_makes_no_markup_of_what_it_is_told() -> None:
    for path, (content, _) in load_page().items():
        if path.endswith((".js", ".html")):
            assert not re.search(
                rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
                rb"|srcdoc|javascript:|\son\w+=|<script>|<style>|\sstyle=",
                content,
            ), path


def test_only_files_of_known_kinds_are_served(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name in ("index.html", "parts/roll.js", "notes.py", ".hidden"):
        (tmp_path / name).write_text(name)
    page = load_page(tmp_path)
    assert set(page) == {"", "index.html", "parts/roll.js"}
    assert page[""] == (b"index.html", "text/html; charset=utf-8")
    assert page["parts/roll.js"][1] == "text/javascript; charset=utf-8"
    assert load_page(tmp_path / "none") == {}
