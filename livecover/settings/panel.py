"""Section ``panel``: where the page is served. Not here: the server."""

from dataclasses import dataclass

from engine.core import checks


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Section ``panel``: the page that the program is played with."""

    enabled: bool = False
    """True: the panel is there while livecover plays."""
    host: str = "127.0.0.1"
    """Address that is listened at; another than loopback lets the network in."""
    port: int = 7664
    """TCP port; 0 is any that is free."""
    open_browser: bool = True
    """Whether a browser is opened, where livecover was started in a terminal."""

    def __post_init__(self) -> None:
        checks.flag("panel.enabled", self.enabled)
        checks.flag("panel.open_browser", self.open_browser)
        checks.text("panel.host", self.host)
        checks.integer("panel.port", self.port, 0, 65535)
