"""The commands of the kit for a GPU: pack it, and render and train with it."""

import argparse
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import ConfigError
from engine.system.command import say
from offline_train.commands import recipes
from offline_train.commands.options import Add, at_least, data_folder, number
from offline_train.commands.recipes import PREFIX

if TYPE_CHECKING:
    from offline_train.training.task import Task

TARGETS = ("transcriber", "cover", "window", "paper")
STARTS = {"transcriber": "start.pt", "cover": "live.pt"}
"""What the streaming networks begin with, in ``models/weights``."""
SESSION = {"amt_apc": "minutes"}
"""The key of a session's minutes, where it is not ``session_minutes``."""
SAVING_S = 10.0  # of a session, for its end
PROFILED = 2  # crops in a batch
FRAME_S = 0.016


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("pack-gpu", pack_gpu, "pack code and small sounds for a machine with a GPU")
    sub.add_argument("out", type=Path, help="FILE.tar.xz to write")
    sub.add_argument("--data", help="folder with pop909/, giantmidi/ and splits.json")
    sub.add_argument("--python", default="installed", help="of that machine, as 3.12")
    sub.add_argument("--songs", type=at_least(0), default=0, help="of each split; 0 is all")

    sub = command("gpu", gpu, "render with small sounds, and train meanwhile")
    sub.add_argument("target", choices=TARGETS, help="what is trained: recipe gpu/TARGET")
    sub.add_argument("--minutes", type=number(0.01), default=10.0, help="until it ends, resumable")
    sub.add_argument("--data", help="folder with pop909/, giantmidi/ and splits.json")
    sub.add_argument("--out", type=Path, default=Path("runs/gpu"), help="the run: OUT/TARGET")
    sub.add_argument("--prepared", type=Path, default=Path("runs/gpu/prepared"), help="rendered")
    sub.add_argument("--cores", type=at_least(2), default=max(os.cpu_count() or 2, 2))
    sub.add_argument("--songs", type=at_least(1), default=800, help="rendered at most")
    sub.add_argument("--solos", type=at_least(0), default=400, help="solo pianos, likewise")
    sub.add_argument("--least", type=at_least(1), default=16, help="of each, to begin with")
    sub.add_argument("--excerpt", type=number(2), default=60.0, help="seconds a piece")
    sub.add_argument("--device", help="cpu or cuda; cuda where there is one")
    sub.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")

    sub = command("gpu-throughput", throughput, "compute what the kit would do, from a profile")
    sub.add_argument("prepared", type=Path, help="what gpu rendered: train, valid, ...")
    sub.add_argument("--data", help="folder with pop909/, giantmidi/ and splits.json")
    sub.add_argument("--cores", type=at_least(2), default=16, help="of the machine with the GPU")
    sub.add_argument("--teraflops", type=number(0.001), default=50.0, help="that a network gets")
    sub.add_argument("--minutes", type=number(0.01), default=10.0)


def pack_gpu(args: argparse.Namespace) -> None:
    """Pack the kit."""
    from offline_train.recipes.gpu.pack import pack
    from offline_train.training.checkpoints import commit

    size = pack(args.out, data_folder(args), args.python, commit(), args.songs)
    say(f"{args.out}: {size / 1e6:.1f} MB; there: tar xf it, python3 kit/run.py TARGET --minutes N")


def gpu(args: argparse.Namespace) -> None:
    """Render and train for some minutes, or go on."""
    from offline_train.recipes.gpu.render_ahead import RenderConfig, rendering
    from offline_train.training.data_parallel import agree, join

    ends = time.monotonic() + 60 * args.minutes
    renderers = renderers_of(args.cores)
    given = _recipe_options(args, args.cores - renderers)
    session = PREFIX + SESSION.get(recipes.read(given).kind, "session_minutes")
    setattr(given, session, args.minutes)
    kind, settings = recipes.settings_of(given)
    config = RenderConfig(
        data_folder(args),
        args.prepared,
        renderers,
        excerpt_s=args.excerpt,
        songs=args.songs,
        solos=args.solos if args.target != "window" else 0,
        least=args.least,
        seed=1 + _steps_taken(settings.out / "last.pt"),
    )
    is_first = os.environ.get("LOCAL_RANK", "0") == "0"
    with rendering(config) if is_first else nullcontext():
        join(settings.device)
        agree(0.0)  # torchrun's other processes wait for the one that renders
        minutes = (ends - SAVING_S - time.monotonic()) / 60
        if minutes <= 0:
            raise ConfigError(
                f"expected more than --minutes {args.minutes:g}: all went on rendering the first"
            )
        setattr(given, session, minutes)
        kind, settings = recipes.settings_of(given)
        say(str(kind.load().train(settings)))


def renderers_of(cores: int) -> int:
    """Return how many cores render; mixing and mastering what is there takes the most."""
    return max(cores // 4, 1)


def throughput(args: argparse.Namespace) -> None:
    """Print what each target would do on a machine with a GPU."""
    from offline_train.evaluation.report import markdown_table
    from offline_train.recipes.gpu import throughput as computed

    renderers, operations = renderers_of(args.cores), 1e12 * args.teraflops
    machine = computed.Machine(args.cores, renderers, operations, args.minutes)
    rendered = computed.rendering_speed(data_folder(args))
    rows = [computed.HEADER]
    for target in TARGETS:
        batch = int(recipes.settings_of(_named(target, args.prepared, []))[1].plain()["batch"])
        task, music_s, recurrent_steps = _tiny_task(target, args.prepared)
        found = computed.profile(task, rendered, music_s, recurrent_steps, PROFILED)
        rows.append(found.row(target, machine, batch))
    print(markdown_table(rows))


def _tiny_task(target: str, prepared: Path) -> "tuple[Task[Any], float, int]":
    """Return a target's task on a CPU, its crops' seconds, and steps of a recurrence."""
    from offline_train.recipes import amt_apc, amt_apc_run, window
    from offline_train.training.cover.task import CoverTask

    tiny = [f"batch={PROFILED}", "device=cpu", "workers=0"]
    settings: Any = recipes.settings_of(_named(target, prepared, tiny))[1]
    if target in STARTS:
        return CoverTask(settings), settings.n_frames * FRAME_S, settings.n_frames // 2
    if target == "window":
        return window.WindowTask(settings), settings.network.window_frames * FRAME_S, 0
    stage = amt_apc_run.plan(settings)[0]
    network = amt_apc_run.first_network(settings, [stage], 0)
    return amt_apc.StageTask(settings, stage, network), stage.n_frames * FRAME_S, 0


def _named(target: str, prepared: Path, overrides: list[str]) -> argparse.Namespace:
    args = argparse.Namespace(
        target=target, prepared=prepared, out=Path("unused"), device="cpu", solos=1, set=overrides
    )
    return _recipe_options(args, 0)


def _steps_taken(last: Path) -> int:
    """Return the steps of a run so far, by which later sessions render other pieces."""
    if not last.is_file():
        return 0
    import torch

    return int(torch.load(last, weights_only=True, map_location="cpu").get("step", 0))


def _recipe_options(args: argparse.Namespace, workers: int) -> argparse.Namespace:
    """Return the options as ``train`` has them."""
    import torch

    prepared = args.prepared
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    keys = {"out": args.out / args.target, "workers": workers, "device": device}
    if args.target in STARTS:
        import models

        start = Path(models.__file__).parent / "weights" / STARTS[args.target]
        keys |= {"prepared": prepared, "start_from": start}
    elif args.target == "window":
        keys |= {"train": [str(prepared / "train")], "valid": prepared / "valid"}
    else:
        folders = [str(prepared / name) for name in ("train", "giantmidi-solo-train")]
        keys |= {"train": folders[: 1 + (args.solos > 0)], "valid": [str(prepared / "valid")]}
    named = {PREFIX + key: value for key, value in keys.items()}
    return argparse.Namespace(recipe=f"gpu/{args.target}", kind="cover", set=args.set, **named)
