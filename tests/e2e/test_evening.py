"""An evening with the panel on PipeWire, from the first look to a take, as a musician goes it.

``LIVECOVER_SCREENSHOTS=docs pytest -m e2e tests/e2e/test_evening.py`` writes its pictures anew.
"""

import re
from collections.abc import Iterator

import pytest

from engine.audio.loopback.moved_streams import SINK
from tests.e2e import songs
from tests.e2e.chain import COMMAND, PipeWireChain
from tests.e2e.processes import Process, wait_until
from tests.e2e.test_pipewire import chain  # noqa: F401  (the fixture)
from tests.e2e.together import HEARD, PLAYER, SONG, Desk

pytest.importorskip("link", reason="Ableton Link: pip install LinkPython-extern")
pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page  # noqa: E402

from tests.e2e.browser import (  # noqa: E402
    DESK,
    SCREENSHOTS,
    open_panel,
    take_picture,
    wait_for,
)

pytestmark = pytest.mark.e2e
STATE = "document.body.dataset.state"


@pytest.fixture
def desk(chain: PipeWireChain) -> Desk:  # noqa: F811
    """A PipeWire with two outputs."""
    for sink in (HEARD, SONG):
        chain.pulse.load("module-null-sink", f"sink_name={sink}", "channels=2")
    wait_until("its output", lambda: chain.pulse.set_default_sink(HEARD))
    return Desk(chain.work, chain.pulse)


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    """``livecover app`` as the icon starts it, and its page."""
    command = [*COMMAND, "app", "--panel-port", "0", "--no-open-browser", "--record", "takes"]
    env = {**desk.env, "BROWSER": "true"}  # it opens a page of its own otherwise
    process = Process.start("app", command, desk.work, env)
    try:
        wait_until("a page", lambda: "panel at http" in process.text(), 60, [process])
        (url,) = re.findall(r"panel at (http://\S+/)", process.text())
        yield url
        assert "Traceback" not in process.text(), process.tail()
    finally:
        process.kill()


def test_an_evening(desk: Desk, address: str, browser: Browser) -> None:
    song = songs.whole_example(desk.work / "song.wav")
    with desk.song(song), open_panel(browser, address, DESK) as page:
        look_around(page)
        play_together(page, desk)
        let_others_follow(page)
        measure(page)
        quit_it(page, desk)
    assert list((desk.work / "takes").glob("*.mid"))


def look_around(page: Page) -> None:
    """What plays is in the list."""
    inputs = "[...document.querySelectorAll('#input option')]"
    wait_for(page, f"{inputs}.some((option) => option.value === '\"app:{PLAYER}\"')")
    if SCREENSHOTS:
        take_picture(page, "panel-app")
        page.click("#input")
        page.wait_for_timeout(500)
        take_picture(page, "panel-programs")
        page.keyboard.press("Escape")


def play_together(page: Page, desk: Desk) -> None:
    """One press: the program is silent, song and piano play."""
    page.click("#tab-sound")
    page.click("#together")
    wait_for(page, f"{STATE} === 'recording'")
    wait_until("the song's program is moved", lambda: desk.places().get(PLAYER) == SINK)
    wait_for(page, "livecoverMeasure().length > 10")
    page.mouse.move(5, 5)
    page.wait_for_timeout(8000 if SCREENSHOTS else 0)
    take_picture(page, "panel-together")


def let_others_follow(page: Page) -> None:
    """MIDI clock and Link, once the beat is known."""
    page.click("#tab-midi")
    page.select_option("#sync-port", "LiveCover Clock")
    page.locator("#link").check()
    wait_for(page, "document.querySelector('#sync-state').textContent !== ''")
    page.mouse.move(5, 5)
    take_picture(page, "panel-midi")


def measure(page: Page) -> None:
    """How late the speakers are heard."""
    page.click("#tab-sound")
    page.click("#together")
    wait_for(page, "document.querySelector('#together').ariaPressed === 'false'")
    page.select_option("#monitor-device", f'"{HEARD}"')
    page.click("#calibrate")
    wait_for(page, "document.querySelector('#calibration-value').textContent.endsWith(' ms')")
    page.mouse.move(5, 5)
    take_picture(page, "panel-measured")


def quit_it(page: Page, desk: Desk) -> None:
    """All is as it was."""
    page.click("#quit")
    page.click("#quit-now")
    wait_until("all is put back", desk.is_put_back)
