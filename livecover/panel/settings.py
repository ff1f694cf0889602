"""Section ``panel``: where the page is served. Not here: the server."""

from dataclasses import dataclass

from engine.errors import ConfigError


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
        for name in ("enabled", "open_browser"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ConfigError(f"panel.{name} must be true or false, not {value!r}")
        if not isinstance(self.host, str) or not self.host.strip():
            raise ConfigError(f"panel.host must be text that is not empty, not {self.host!r}")
        port: object = self.port
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
            raise ConfigError(f"panel.port must be a whole number from 0 to 65535, not {port!r}")
