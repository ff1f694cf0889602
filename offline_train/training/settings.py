"""A run's settings: frozen dataclasses, made of a recipe's TOML, kept whole in its checkpoints.

Not here: which file is read and what overrides it (``recipe_files``).
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, get_type_hints

from engine.core import checks
from engine.core.errors import ConfigError
from engine.core.typed_values import convert, nearest, shown, word
from engine.system.paths import given_path
from offline_train.training.schedule import Schedule

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SMALLEST_RATE = 1e-9
"""Of learning: zero teaches nothing."""
Acceleration = Literal["auto", "on", "off"]
"""bfloat16 and ``torch.compile`` (``acceleration``); auto is on a GPU."""
Made = TypeVar("Made", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What every run has; a recipe's own settings come on top.

    ``out`` is the run's folder. What may change when a run resumes: the names in ``MAY_CHANGE``.
    """

    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset(
        {
            "out",
            "minutes",
            "session_minutes",
            "threads",
            "workers",
            "device",
            "acceleration",
            "valid_every",
            "learning_rate",
        }
    )

    out: Path
    _: KW_ONLY
    learning_rate: float = 1e-3
    seed: int = 1
    threads: int = 1
    device: str = "cpu"
    acceleration: Acceleration = "auto"

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        return plain(self)

    def fixed(self) -> dict[str, Any]:
        """Return the settings that must stay as they are when a run resumes, as JSON has them."""
        return {n: value for n, value in self.plain().items() if n not in self.MAY_CHANGE}


def check_run(c: RunSettings) -> None:
    """Raise ConfigError unless what every run has can be trained with."""
    checks.number("learning_rate", c.learning_rate, SMALLEST_RATE, 1.0)
    checks.integer("seed", c.seed, 0, 2**31 - 1)
    checks.integer("threads", c.threads, 1, 1024)


@dataclass(frozen=True, slots=True)
class SteppedSettings(RunSettings):
    """Those of a run that ends after its steps, or when its minutes of training are over."""

    _: KW_ONLY
    steps: int = 20_000
    minutes: float = 0.0  # of training, over all sessions; 0 is no limit
    valid_every: int = 250  # steps

    def __post_init__(self) -> None:
        check_run(self)
        checks.integer("steps", self.steps, 1, 10**9)
        checks.integer("valid_every", self.valid_every, 1, 10**9)
        checks.number("minutes", self.minutes, 0.0, 10**6, " min")

    def schedule(self, **more: Any) -> Schedule:
        """Return the schedule, with ``more`` of its fields."""
        return Schedule(
            self.learning_rate,
            steps=self.steps,
            seconds=60 * self.minutes,
            valid_every=self.valid_every,
            **more,
        )


def plain(settings: "DataclassInstance") -> dict[str, Any]:
    """Return settings as JSON has them."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    return found


def settings_from(
    kind: type[Made], values: Mapping[str, Any], name: str = "", base: Made | None = None
) -> Made:
    """Return settings of a dataclass with ``values`` by key, as TOML has them, nested as tables.

    What is not given is as in ``base``, or at its default. ``name`` is the table's, for messages.

    Raises
    ------
    ConfigError
        An unknown key, with the nearest one; a wrong type; a key that is missing.
    """
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind) if f.init}
    made: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            near = nearest(key, sorted(known), f"{name}{{}}")
            raise ConfigError(f"unknown key {name}{word(key)}{near}")
        hint = hints[key]
        if isinstance(hint, type) and is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{name}{key} must be a table, not {shown(value)}")
            inner = getattr(base, key) if base is not None else default_of(known[key])
            made[key] = settings_from(hint, value, f"{name}{key}.", inner)
        else:
            made[key] = _without_home(convert(f"{name}{key}", value, hint))
    if base is not None:
        return dataclasses.replace(base, **made)
    missing = [n for n, f in known.items() if n not in made and not _has_default(f)]
    if missing:
        raise ConfigError(f"expected the key {name}{missing[0]}, which has no default")
    return kind(**made)


def _without_home(value: Any) -> Any:
    """Return a value; in paths, ``~`` is replaced."""
    if isinstance(value, tuple):
        return tuple(map(_without_home, value))
    return given_path(value) if isinstance(value, Path) else value


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    return not (
        field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """Return a field's default; None where it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default
