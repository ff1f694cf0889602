"""People whose recorded speech sings, beside the speech programs of ``voices``.

A singer's formants are drawn from a wide range, so that one person is many singers. Not here: the
recordings and their licences (``recorded``).
"""

from offline_train.synthesis.voices.voices import Voice

_FORMANT = (0.87, 1.17)
_VIBRATO_CENTS = (0.0, 45.0)
_BREATH = (0.0, 0.5)


def _person(package: str, name: str, pattern: str, is_high: bool) -> Voice:
    return Voice(
        package,
        name,
        pattern,
        is_high,
        _FORMANT,
        vibrato_cents=_VIBRATO_CENTS,
        breath=_BREATH,
    )


def _klettres(language: str, is_high: bool) -> Voice:
    return _person("klettres-data", language, f"usr/share/klettres/{language}/*/*.ogg", is_high)


def _ktuberling(language: str, is_high: bool) -> Voice:
    pattern = f"usr/share/ktuberling/sounds/{language}/*.*"
    return _person("ktuberling-data", language, pattern, is_high)


def _asterisk(language: str, is_high: bool) -> Voice:
    package = f"asterisk-core-sounds-{language}-g722"
    return _person(package, language, "usr/share/asterisk/sounds/*/**/*.g722", is_high)


def _fillets(language: str, role: str, is_high: bool) -> Voice:
    pattern = f"usr/share/games/fillets-ng/sound/*/{language}/*-{role}-*.ogg"
    return _person(f"fillets-ng-data-{language}", f"{language}-{role}", pattern, is_high)


TRAIN_PEOPLE = (
    *(_asterisk(language, language != "it") for language in ("en", "es", "fr", "it", "ru")),
    *(_klettres(lang, True) for lang in "ar cs en_GB es it nb pt_BR ru tn uk".split()),
    *(_klettres(lang, False) for lang in "da de en fr lt ml nds".split()),
    *(_ktuberling(lang, True) for lang in ("lt", "ro", "uk")),
    *(_ktuberling(lang, False) for lang in "ca da de en fr ga ru sl wa".split()),
    *(_fillets("cs", role, role == "m") for role in ("m", "v", "hs")),
)
"""People for training, of 21 languages."""

HELD_OUT_PEOPLE = (
    _klettres("he", False),
    _klettres("hu", False),
    _klettres("nl", True),
    _ktuberling("el", False),
    _fillets("nl", "m", True),
    _fillets("nl", "v", False),
)
"""People for validation, in languages that training never uses."""
