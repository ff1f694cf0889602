"""The panel as a performer has it: Chromium, the real engine, a real song, a port that is heard.

``LIVECOVER_SCREENSHOTS=docs pytest tests/e2e/test_panel.py`` writes the pictures of the docs anew.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.e2e import songs, takes
from tests.e2e.chain import COMMAND, PORT, Chain
from tests.e2e.processes import Process, wait_until
from tests.livecover.panel.fakes import Client

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page  # noqa: E402

from tests.e2e.browser import (  # noqa: E402
    DESK,
    PHONE,
    SCREENSHOTS,
    open_panel,
    press_pad,
    take_picture,
    wait_for,
)

pytestmark = pytest.mark.e2e

STATE = "document.body.dataset.state"
N_DRAWN = "livecoverMeasure().length"
COLOURED = """(() => {
  const canvas = document.getElementById("roll");
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height * 0.6);
  let n = 0;
  for (let k = 0; k < data.length; k += 4)
    n += Math.max(data[k], data[k + 1], data[k + 2]) - Math.min(data[k], data[k + 1], data[k + 2]) > 60;
  return n;
})()"""  # noqa: E501
"""Pixels of the roll above the keyboard that are neither black, grey nor white: notes are."""


@contextlib.contextmanager
def panel(chain: Chain, *arguments: str) -> Iterator[tuple[Process, str]]:
    """Run ``livecover panel``, idle; yield it and the page's address."""
    command = [*COMMAND, "panel", "--panel-port", "0", "--input", "loopback"]
    process = Process.start("panel", [*command, *arguments], chain.work, chain.env)
    address = re.compile(r"http://\S+/")
    try:
        wait_until("the address", lambda: address.search(process.text()) is not None, 60, [process])
        found = address.search(process.text())
        assert found is not None
        yield process, found[0]
    finally:
        assert process.stop(timeout=60) == 0, process.tail()


def start(chain: Chain, page: Page, livecover: Process) -> None:
    """Start from the page, and connect the port to the recorder."""
    assert page.evaluate(STATE) == "idle"
    page.click("#start")
    wait_for(page, f"{STATE} === 'playing'", 60)
    chain.jack.wait_for_port(PORT, livecover)
    chain.jack.connect(PORT, "recorder:midi")
    chain.wait_until_heard(livecover)


def settings_of(url: str) -> dict[str, dict[str, object]]:
    """Return the settings that the server tells a page that comes new."""
    with Client(url) as client:
        settings: dict[str, dict[str, object]] = client.hear("hello")["settings"]
        return settings


def is_held(messages: Sequence[takes.Message]) -> bool:
    return len(takes.unended(messages)) >= 2


def is_quiet(messages: Sequence[takes.Message]) -> bool:
    return bool(messages) and not takes.unended(messages)


def test_a_song_is_played_from_the_panel(chain: Chain, browser: Browser) -> None:
    song = songs.example_song(chain.work / "song.wav", seconds=10.0)
    if SCREENSHOTS:  # for as long as that takes
        song = songs.whole_example(chain.work / "song.wav")
        soundfile.write(song.path, np.tile(song.samples, 5), song.sample_rate)
    with panel(chain) as (livecover, url), open_panel(browser, url, DESK) as page:
        start(chain, page, livecover)
        with chain.pulse.playing(song.path):
            wait_for(page, f"{N_DRAWN} >= 10", 30)
            wait_for(page, f"{COLOURED} > 200")
            press_pad(page, 0.8, 0.65)
            wait_until(
                "the engine's style", lambda: settings_of(url)["model"]["style"] != "balanced", 10
            )
            picture_all(browser, page, url)
        assert settings_of(url)["model"]["style"] == pytest.approx(0.8, abs=0.02)
        assert float(page.locator("#meter").get_attribute("aria-valuenow") or -60) > -60
        sent = {m.pitch for m in takes.ons(chain.recorder.messages())}
        assert sent
        missing = f"{sorted(sent)}.some(p => !livecoverMeasure().some(note => note.pitch === p))"
        wait_for(page, f"!{missing}")  # the page hears of a note a moment after the port
        page.click("#start")
        wait_for(page, f"{STATE} === 'idle'")
    assert takes.has_pairs_only(chain.recorder.messages())


def picture_all(browser: Browser, page: Page, url: str) -> None:
    """Write the docs' pictures where that is asked for, when the roll is full."""
    if not SCREENSHOTS:
        return
    page.mouse.move(5, 5)
    page.wait_for_timeout(6000)
    take_picture(page, "panel-dark")
    page.click("#tab-sound")
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    take_picture(page, "panel-sound")
    page.click("#tab-play")
    page.click("#theme")
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    take_picture(page, "panel-light")
    with open_panel(browser, url, PHONE, device_scale_factor=2, has_touch=True) as phone:
        phone.wait_for_timeout(4500)
        take_picture(phone, "panel-phone")


def test_panic_silences(chain: Chain, browser: Browser, chords: songs.Song) -> None:
    with panel(chain) as (livecover, url), open_panel(browser, url) as page:
        start(chain, page, livecover)
        with chain.pulse.playing(chords.path):
            chain.recorder.wait_for("held notes", is_held)
            page.click(".panic")
            chain.recorder.wait_for("the end of all notes", is_quiet)
            page.wait_for_timeout(50)
    assert takes.has_pairs_only(chain.recorder.messages())


def test_a_lost_device_is_shown_and_heals(
    chain: Chain, browser: Browser, chords: songs.Song, tune: songs.Song
) -> None:
    with panel(chain) as (livecover, url), open_panel(browser, url) as page:
        start(chain, page, livecover)
        with chain.pulse.playing(chords.path):
            chain.recorder.wait_for("held notes", is_held)
            chain.pulse.kill()
        wait_for(page, f"{STATE} === 'lost'")
        assert page.locator("#veil-title").inner_text().startswith("Waiting for ")
        chain.recorder.wait_for("the end of all notes", is_quiet)
        n_drawn = page.evaluate(N_DRAWN)

        chain.pulse.start()
        wait_for(page, f"{STATE} === 'playing'", 30)
        assert page.locator("#veil").is_hidden()
        chain.wait_until_heard(livecover)
        chain.play(tune)
        assert page.evaluate(N_DRAWN) - n_drawn >= len(songs.TUNE) // 2


def test_record_makes_a_take(chain: Chain, browser: Browser, tune: songs.Song) -> None:
    folder = chain.work / "takes"
    config = chain.work / "mine.toml"
    config.write_text(f'[record]\nfolder = "{folder}"\n')
    with (
        panel(chain, "--config", str(config)) as (livecover, url),
        open_panel(browser, url) as page,
    ):
        start(chain, page, livecover)
        page.click("#record")
        wait_for(page, f"{STATE} === 'recording'")
        chain.play(tune)
        page.click("#record")
        wait_until("the take", lambda: any(folder.glob("*.mid")), 10, [livecover])
        wait_for(page, f"{STATE} === 'playing'")
    (take,) = folder.glob("*.mid")
    assert len(takes.ons(takes.read_midi_file(take))) >= len(songs.TUNE) // 2


def test_settings_are_saved_from_the_page(browser: Browser, chain: Chain, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("# for the small hall\n[midi]\ntranspose = 2 # a tone up\n")
    with panel(chain, "--config", str(config)) as (_, url), open_panel(browser, url) as page:
        assert page.locator("#transpose").input_value() == "2"
        page.click("[aria-label='A semitone up']")
        page.click("#save")
        page.wait_for_selector("#unsaved-lines >> text=midi.transpose")
        assert page.locator("#unsaved-lines tbody").inner_text().split() == [
            *("midi.transpose", "2", "3"),
        ]
        assert page.locator("#unsaved-path").inner_text() == str(config)
        page.click("#unsaved-write")
        page.wait_for_selector(".toast >> text=mine.toml")
    text = config.read_text()
    assert "# for the small hall" in text and "transpose = 3 # a tone up" in text
