"""Names that earlier versions gave to options, network settings and weights, and today's names.

Whoever reads a checkpoint or a command line passes it through here; nothing else knows old names.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)

SETTINGS = {
    "again": "refine_hidden",
    "heard_share": "transcription_residual_weight",
}
WEIGHTS = {"transcription.comparison_again.": "transcription.refined_comparison."}
OPTIONS = {
    "--again": "--refine-hidden",
    "--heard-share": "--transcription-residual-weight",
}


def renamed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by today's names; values stay.

    >>> renamed_settings({"again": 64, "hidden": 32})
    {'refine_hidden': 64, 'hidden': 32}
    """
    return {SETTINGS.get(name, name): value for name, value in settings.items()}


def renamed_checkpoint(checkpoint: dict[str, Any], source: str) -> dict[str, Any]:
    """Return a checkpoint by today's names; one line of the log says what was renamed.

    Parameters
    ----------
    checkpoint
        Its ``network`` are settings, ``model`` and ``ema`` weights; any may be missing.
    source
        Its file, for the log.
    """
    found = dict(checkpoint)
    old: dict[str, str] = {}
    if "network" in found:
        old |= {name: SETTINGS[name] for name in found["network"] if name in SETTINGS}
        found["network"] = renamed_settings(found["network"])
    for part in ("model", "ema"):
        if part in found:
            old |= {old: new for old, new in WEIGHTS.items() if _has_prefix(found[part], old)}
            found[part] = {_renamed_weight(name): value for name, value in found[part].items()}
    if old:
        names = ", ".join(f"{name} is {new} now" for name, new in old.items())
        log.info("%s: an earlier version wrote it: %s", source, names)
    return found


def renamed_options(argv: Sequence[str]) -> list[str]:
    """Return a command line by today's names; one line of the log says each.

    >>> renamed_options(["train", "--again=64", "--hours", "1"])
    ['train', '--refine-hidden=64', '--hours', '1']
    """
    found = []
    for word in argv:
        name, equals, value = word.partition("=")
        if name in OPTIONS:
            log.warning("%s is called %s now", name, OPTIONS[name])
            word = OPTIONS[name] + equals + value
        found.append(word)
    return found


def _has_prefix(weights: Mapping[str, Any], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in weights)


def _renamed_weight(name: str) -> str:
    for old, new in WEIGHTS.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
