"""The commands that make what ships beside the models, and measure the builder of pairs."""

import argparse
from pathlib import Path

from engine.core.errors import DataError
from engine.system.command import say
from offline_train.commands.options import Add, at_least, data_folder, number


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("example-song", example_song, "make the example song that ships")
    sub.add_argument("out", type=Path, help="the Ogg file to write; OUT.mid is put beside it")
    sub = command("soundfont", soundfont, "make the piano that comes with livecover")
    sub.add_argument("--out", type=Path, default=Path("livecover/sounds/piano.sf3"))
    sub.add_argument("--folder", type=Path, help="of the samples, if not fetched with npm")
    sub = command("prove-pairs", prove_pairs, "measure the builder of pairs on rendered ones")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/pairs-proof"))
    sub.add_argument("--songs", type=at_least(1), default=10)
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song")
    sub.add_argument("--transcriber", default="basic-pitch", help="none leaves it out")
    sub.add_argument("--json", type=Path, help="write the figures here too")


def example_song(args: argparse.Namespace) -> None:
    """Make the example song."""
    from offline_train.synthesis.song import make_song

    make_song(args.out)


def soundfont(args: argparse.Namespace) -> None:
    """Make the piano."""
    from offline_train.synthesis.pianos.soundfont import make_piano

    make_piano(args.out, args.folder)
    say(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


def prove_pairs(args: argparse.Namespace) -> None:
    """Measure the builder of pairs. Raises DataError where the bars do not hold."""
    from offline_train.studies.pairs.proof import BAR, holds, prove_songs, save

    transcriber = None if args.transcriber == "none" else args.transcriber
    table, facts = prove_songs(data_folder(args), args.cache, args.songs, args.excerpt, transcriber)
    say(table)
    if args.json:
        save(facts, args.json)
    if not holds(facts):
        raise DataError(f"expected {BAR:.0%} of the notes in their places: see the table")
