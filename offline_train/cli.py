"""``livecover-train``: prepare, train, export, evaluate, and what belongs to it."""

import argparse
import logging
import os
import sys

from engine.errors import LiveCoverError
from offline_train.commands import apc, cover, data, judge, papers


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="livecover-train", description=__doc__)
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning"))
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        defaults = argparse.ArgumentDefaultsHelpFormatter
        sub = subparsers.add_parser(name, help=text, description=text, formatter_class=defaults)
        sub.set_defaults(run=run)
        return sub

    for group in (data, cover, apc, papers, judge):
        group.add(command)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one line on bad input."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then takes its memory in large pages
    logging.basicConfig(level=args.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        args.run(args)
    except LiveCoverError as error:
        print(f"livecover-train: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a folder that cannot be written, a full disk
        if error.filename is None:
            raise
        problem = f"{error.filename}: {error.strerror}; is it there, and may it be written?"
        print(f"livecover-train: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("livecover-train: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
