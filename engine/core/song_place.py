"""Where a song is that plays from a file, and what can be asked of it."""

from dataclasses import dataclass
from typing import Literal, get_args

from engine.core.errors import ConfigError

SongAction = Literal["pause", "play", "seek", "loop", "unloop"]
SONG_ACTIONS: tuple[str, ...] = get_args(SongAction)


@dataclass(frozen=True, slots=True)
class SongPlace:
    """Where a song is, in seconds of the song."""

    position: float
    duration: float
    is_paused: bool = False
    loop: tuple[float, float] | None = None
    """From where to where it is repeated."""


@dataclass(frozen=True, slots=True)
class SongCommand:
    """What is asked of a song; ``start`` and ``end`` are seconds of it.

    ``seek`` goes to ``start``; ``loop`` repeats from ``start`` to ``end``. Raises ConfigError.
    """

    action: SongAction
    start: float = 0.0
    end: float = 0.0

    def __post_init__(self) -> None:
        if self.action not in SONG_ACTIONS:
            raise ConfigError(f"expected one of {', '.join(SONG_ACTIONS)}, got {self.action!r}")
        if not 0.0 <= self.start < float("inf"):
            raise ConfigError(f"a song begins at 0 s: expected a place in it, got {self.start:g} s")
        if self.action == "loop" and not self.start < self.end < float("inf"):
            raise ConfigError(
                f"a loop's end comes after its beginning, not {self.end:g} s after {self.start:g} s"
            )
