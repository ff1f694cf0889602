"""Freely licensed produced music in Debian packages, and the split it is in: train or heldout.

Every licence was read in the package's ``/usr/share/doc/PACKAGE/copyright`` (Debian 12). Listed is
only what that file grants under a permissive licence, GPL, CC BY or CC BY-SA; what it grants by its
general clause alone, for all files, says so. Split by artist, or by package where the artists of
the songs are not named one by one, so that nobody is on both sides. No credit in these packages
names a singer. Not here: reading the music (``recordings``).
"""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")


@dataclass(frozen=True, slots=True)
class Source:
    """An artist's music in a package.

    ``patterns`` are globs below the package's root, into its .pk3 archives too; ``stems``: every
    folder that they reach is one song, its files are summed.
    """

    name: str
    package: str
    licence: str
    credit: str
    split: Split
    patterns: tuple[str, ...]
    stems: bool = False


def _below(folder: str, *stems: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{stem}.ogg" for stem in stems)


_SONGS = "usr/share/games/fretsonfire/data/songs"
_UFO = "usr/share/games/ufoai/base/music"
_NAEV = "usr/share/naev/dat/snd/music"
_KART = "usr/share/games/supertuxkart/data/music"

SOURCES: tuple[Source, ...] = (
    Source(
        "sectoid",
        "fretsonfire-songs-sectoid",
        "MIT",
        'Carlos Viola Iborra ("Sectoid")',
        "train",
        (f"{_SONGS}/sectoid/*/*.ogg",),
        stems=True,
    ),
    Source(
        "muldjord",
        "fretsonfire-songs-muldjord",
        "CC-BY-SA-3.0",
        "El Senator, Muldjord (www.muldjord.com)",
        "heldout",
        (f"{_SONGS}/muldjord/*/*.ogg",),
        stems=True,
    ),
    Source(
        "singularity",
        "singularity-music",
        "CC-BY-SA-3.0",
        "Max McCracken",
        "heldout",
        ("usr/share/games/singularity/music/**/*.ogg",),
    ),
    Source(
        "warzone",
        "warzone2100-music",
        "GPL-2+ (general clause)",
        "Eidos Interactive, Warzone 2100 Project",
        "train",
        ("usr/share/games/warzone2100/music/albums/*/*.opus",),
    ),
    Source(
        "wesnoth",
        "wesnoth-1.16-music",
        "GPL-2+ (general clause)",
        "the composers of The Battle for Wesnoth",
        "train",
        ("usr/share/games/wesnoth/1.16/data/core/music/*.ogg",),
    ),
    Source(
        "ufo-by",
        "ufoai-music",
        "CC-BY-3.0",
        "Manuel Marino, David Reeves, azrael1322, Karl Macklin",
        "train",
        _below(_UFO, "van_*", "David*", "azrael1", "karlmacklin_geoscape"),
    ),
    Source(
        "ufo-by-sa",
        "ufoai-music",
        "CC-BY-SA-3.0",
        "Christian Hoffmann (Crystan), Baklund (Marine), Slippycurb, Gren",
        "train",
        _below(_UFO, "Crystan-*", "Marine*", "TheThings-Slippycurb", "returnjourney"),
    ),
    Source(
        "ufo-gpl",
        "ufoai-music",
        "GPL-2",
        "Simon Green (Psymong), Alex Parker, Paul Bee, Al Riddoch and others",
        "train",
        _below(_UFO, "AlexFightmare", "Psymong*", "dawn", "dbsea", "space", "ufo[12]"),
    ),
    Source(
        "ufo-pd",
        "ufoai-music",
        "public domain",
        "Independent.nu, Golgotha",
        "train",
        _below(_UFO, "alBasrahM", "greecei", "turinItalyM"),
    ),
    Source(
        "nexuiz",
        "nexuiz-music",
        "GPL-2+ (general clause)",
        "Alientrap, Lee Vermeulen and the composers of Nexuiz",
        "train",
        ("usr/share/games/nexuiz/data/sound/cdtracks/*.ogg",),
    ),
    Source(
        "hedgewars",
        "hedgewars-data",
        "GPL-2 (general clause)",
        "Hedgewars Project",
        "train",
        ("usr/share/games/hedgewars/Data/Music/*.ogg",),
    ),
    Source(
        "whallon",
        "naev-data",
        "GPL-3 or CC-BY-3.0",
        "Nikola Whallon",
        "train",
        (
            *_below(_NAEV, "ambient[123]", "ambient2_5", "automat", "battlesomething*"),
            *_below(_NAEV, "collective*", "empire*", "flf_battle1", "intrigue", "intro"),
            *_below(_NAEV, "landing_sinister", "nebu_*", "sirius1", "tension", "upbeat", "zalek*"),
        ),
    ),
    Source(
        "vega-strike",
        "naev-data",
        "GPL-2+",
        "Vega Strike",
        "train",
        (
            *_below(_NAEV, "agriculture", "cosmostation", "galacticbattle", "launch*", "liftoff"),
            *_below(_NAEV, "machina", "mission", "ocean", "peace*", "snow"),
        ),
    ),
    Source(
        "askyel",
        "naev-data",
        "CC-BY-SA-3.0",
        "Askyel",
        "train",
        _below(_NAEV, "ambient4", "combat*", "dvaered*", "eureka", "sirius2", "terminal"),
    ),
    Source(
        "zeropage",
        "naev-data",
        "CC-BY-3.0",
        "Zeropage",
        "train",
        _below(_NAEV, "ambiphonic", "void_sensor"),
    ),
    Source(
        "kart",
        "supertuxkart-data",
        "CC-BY-SA-3.0",
        "0zone0ne, Krobonil, DJHelium, Kalsan, Speedsound, Heuchi1, GeekPenguinBR, Weirwood",
        "train",
        (
            *_below(_KART, "bay", "celtic", "egypt", "farm", "garden", "kart_grand_prix", "Lava"),
            *_below(_KART, "jumping_to_the_stars_remake", "landing_in_gran_paradiso", "overworld"),
            *_below(_KART, "SkyVibe-HighFrequency", "demonhill", "Snowy", "valley", "West"),
            *_below(_KART, "ravenbridge_mansion", "xeon6"),
        ),
    ),
    Source(
        "kart-by-sa-4",
        "supertuxkart-data",
        "CC-BY-SA-4.0",
        "Keith Baylis (Vim), Heuchi1",
        "train",
        _below(_KART, "Boom_boom_boom", "alien_signal"),
    ),
    Source(
        "bollen",
        "supertuxkart-data",
        "CC-BY-SA-3.0",
        "Claude Werner (bollen)",
        "heldout",
        _below(_KART, "hacienda", "menutheme", "subsea", "win_theme"),
    ),
    Source(
        "stegall",
        "redeclipse-data",
        "CC-BY-SA-3.0",
        'Derek "JoJo" Stegall',
        "heldout",
        ("usr/share/games/redeclipse/data/sounds/music/track_*.ogg",),
    ),
)
