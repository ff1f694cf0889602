"""The face of livecover: the command line, its settings, the demo, and what programs call.

The engine is in ``engine``, the networks in ``models``, the making of models in ``offline_train``.
What programs call (``livecover.api``) is here too, loaded when it is first used:

>>> import livecover
>>> callable(livecover.cover)
True
"""

from typing import TYPE_CHECKING, Any

import engine.system.privacy  # noqa: F401  # before any library that would call home

if TYPE_CHECKING:
    from livecover.api import (
        BlockSource,
        Cover,
        Engine,
        FunctionSink,
        LiveCoverError,
        Note,
        NoteEvent,
        PedalEvent,
        Posteriors,
        cover,
        cover_samples,
        open_engine,
        posteriors,
        write_cover,
    )

__all__ = [
    "BlockSource",
    "Cover",
    "Engine",
    "FunctionSink",
    "LiveCoverError",
    "Note",
    "NoteEvent",
    "PedalEvent",
    "Posteriors",
    "cover",
    "cover_samples",
    "open_engine",
    "posteriors",
    "write_cover",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from livecover import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
