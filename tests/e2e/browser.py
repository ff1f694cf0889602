"""A headless Chromium, and the panel's page in it as a person would use it."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""Debian's, Ubuntu's and Google's name of it."""

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

SCREENSHOTS = os.environ.get("LIVECOVER_SCREENSHOTS", "")
"""The folder that pictures of the panel are written to; none without it."""


def chromium() -> str | None:
    """Return the path of this system's Chromium, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium; it has no sandbox where the tests run as root, which it refuses otherwise."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = ["--no-sandbox"] if is_root else []
    with sync_playwright() as playwright:
        yield _launch(playwright, arguments)


def _launch(playwright: Playwright, arguments: list[str]) -> Browser:
    return playwright.chromium.launch(executable_path=chromium(), args=arguments)


@contextlib.contextmanager
def open_panel(
    browser: Browser, url: str, size: dict[str, int] | None = None, **options: Any
) -> Iterator[Page]:
    """Open the panel's page in a window of its own, and wait until the server has greeted it.

    Fails at the end if the page logged an error or broke a rule of its security policy.
    """
    options.setdefault("color_scheme", "dark")
    options.setdefault("reduced_motion", "no-preference")
    viewport: Any = size or DESK
    with contextlib.closing(browser.new_context(viewport=viewport, **options)) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.goto(f"{url}?measure=1")
        page.wait_for_selector("#presets .key")
        yield page
        assert not faults, faults


def wait_for(page: Page, condition: str, timeout: float = 60.0) -> None:
    """Wait until a JavaScript expression is true.

    ``page.wait_for_function`` evaluates text within the page, which its security policy forbids.
    Not while the page goes to another address: what is evaluated then may never be answered;
    ``page.wait_for_url`` waits for that.
    """
    deadline = time.monotonic() + timeout
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"{timeout:g} s passed without: {condition}"
        page.wait_for_timeout(20)


def take_picture(page: Page, name: str) -> None:
    """Write ``NAME.png`` into the folder of ``LIVECOVER_SCREENSHOTS``, where that is given."""
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def press_pad(page: Page, x: float, y: float) -> None:
    """Press the style pad at x (0 calm, 1 intense) and y (0 soft, 1 loud)."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"])
