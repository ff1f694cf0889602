"""``livecover-train``: prepare, train, export, evaluate, and what belongs to it."""

import argparse
import logging
import os
import sys
from pathlib import Path

from engine.core.errors import ConfigError, LiveCoverError
from engine.system.command import OWN, run_command
from engine.system.extras import needs
from engine.system.paths import given_path
from offline_train.commands import (
    accompanist,
    apc,
    beat,
    cover,
    data,
    evaluate,
    gpu,
    making,
    own_covers,
    papers,
    recipes,
)
from offline_train.training.renamed import renamed_options

log = logging.getLogger(__name__)


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

    for group in (
        data,
        recipes,
        cover,
        apc,
        beat,
        accompanist,
        own_covers,
        gpu,
        papers,
        evaluate,
        making,
    ):
        group.add(command)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code (``engine.system.command``)."""
    resume = "stopped; the same command goes on from here"
    return run_command("livecover-train", lambda: _main(argv), resume)


def _main(argv: list[str] | None) -> int:
    args = build_parser().parse_args(renamed_options(sys.argv[1:] if argv is None else argv))
    for name, value in vars(args).items():
        setattr(args, name, _given(value))
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then takes its memory in large pages
    logging.basicConfig(level=args.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        args.run(args)
    except LiveCoverError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in OWN:
            raise
        raise ConfigError(needs(f"this needs {error.name}", "train")) from error
    except Exception:
        log.debug("what went wrong", exc_info=True)
        raise
    return 0


def _given(value: object) -> object:
    """Return an option's value; in a path, ``~`` is replaced. Raises ConfigError."""
    if isinstance(value, list):
        return [_given(item) for item in value]
    return given_path(value) if isinstance(value, Path) else value
