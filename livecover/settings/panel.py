"""Section ``panel``: the panel's address. Not here: the server."""

from dataclasses import dataclass

from engine.core import checks


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Section ``panel``: the page with all controls."""

    enabled: bool = False
    """True: the panel is served while livecover plays."""
    host: str = "127.0.0.1"
    """Address to listen at; any but loopback opens the panel to the network."""
    port: int = 7664
    """TCP port; 0 is any free one."""
    keep_address: bool = True
    """Whether the page's address, with its token, stays the same from one start to the next."""
    open_browser: bool = True
    """Whether to open the page in the browser, if livecover was started in a terminal."""

    def __post_init__(self) -> None:
        checks.flag("panel.enabled", self.enabled)
        checks.flag("panel.keep_address", self.keep_address)
        checks.flag("panel.open_browser", self.open_browser)
        checks.text("panel.host", self.host)
        checks.integer("panel.port", self.port, 0, 65535)
