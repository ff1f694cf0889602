"""Measures how many frames a second the panel's page draws while a song is played, all of it on.

Chromium with the real page, on this machine's processor where there is no graphics card; a checkout
is needed.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings, ModelSettings
from engine.live.engine import Engine
from livecover.bench import markdown
from livecover.bench.live import NO_PORT
from livecover.instrument.instrument import Instrument
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from livecover.settings.sections import Settings

SIZES = {"desk": (1440, 900), "tablet": (1024, 600), "phone": (390, 844)}
WARM_UP_S = 5.0
"""Seconds until the roll is full and the beat is found."""
COUNT = """() => {
  window.framesAt = [];
  const tick = (now) => { framesAt.push(now); requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def table(model: str, song: Path, seconds: float) -> str:
    """Return frames a second for each size of a screen, and how long single ones took.

    Raises DeviceError without a checkout with the extra dev.
    """
    try:
        from tests.e2e.browser import open_panel, running_browser
    except ImportError as error:
        raise DeviceError(f"this needs a checkout with the extra dev ({error})") from error
    settings = Settings(audio=AudioSettings(input=str(song)), model=ModelSettings(model=model))
    rows: list[list[object]] = []
    with running_browser() as browser:
        for name, (width, height) in SIZES.items():
            instrument = Instrument(
                settings,
                open_engine=lambda *opened: Engine(
                    *opened, open_sink=lambda names, already: NO_PORT
                ),
            )
            size = {"width": width, "height": height}
            with (
                instrument,
                PanelServer(instrument, PanelSettings(port=0)) as panel,
                open_panel(browser, panel.url, size) as page,
            ):
                instrument.start()
                page.wait_for_timeout(1000 * WARM_UP_S)
                page.evaluate(COUNT)
                began = time.perf_counter()
                page.wait_for_timeout(1000 * seconds)
                at = np.array(page.evaluate("framesAt"), float)
                elapsed = time.perf_counter() - began
            rows.append([f"{name}, {width} x {height}", *_figures(at, elapsed)])
    return markdown(["screen", "frames a second", "p95, ms", "longest, ms"], rows)


def _figures(at: NDArray[np.float64], elapsed: float) -> list[str]:
    """Return frames a second, and the 95th percentile and the greatest of their intervals.

    >>> _figures(np.array([0.0, 20.0, 40.0, 100.0]), 0.1)
    ['40.0', '56.0', '60.0']
    """
    intervals = np.diff(at) if len(at) > 1 else np.array([np.nan])
    p95 = float(np.quantile(intervals, 0.95))
    return [f"{len(at) / elapsed:.1f}", f"{p95:.1f}", f"{intervals.max():.1f}"]
