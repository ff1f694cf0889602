"""``python -m livecover.bench WHAT``: measure one thing and print a Markdown table of it.

What is played are covers on the beat, as by default, but where the table says that they are free.
"""

import argparse

from engine.system.command import run_command, say
from engine.system.paths import given_path
from livecover import examples
from livecover.bench import (
    accompany,
    app,
    arranged,
    calibrate,
    change,
    endings,
    formats,
    frames,
    graph,
    hum,
    install,
    itself,
    live,
    memory,
    metre,
    models,
    monitor,
    panel,
    panic,
    plugin,
    robust,
    servers,
    sync,
    takes,
    together,
)
from livecover.settings.sections import Settings


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    main = argparse.ArgumentParser(prog="python -m livecover.bench", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--model", default=Settings().model.model, help="name or .onnx file")
    common.add_argument("--song", type=given_path, default=examples.path(), help="a file")
    what = main.add_subparsers(dest="what", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return what.add_parser(name, parents=[common], help=text, description=text)

    add("rtf", "real-time factor on one thread, from features to notes")
    streaming = add("streaming", "streamed posteriors against one pass")
    streaming.add_argument("--seconds", type=float, default=20.0, help="of the song")
    window = add("window", "real-time factor of a window model, live and over a file")
    window.add_argument("--steps", type=int, default=2, help="of a live stream")
    altered = add("robust", "changes of a cover with the song's tuning, polarity and level")
    reference = "a human's cover (default: NAME.mid beside the song)"
    altered.add_argument("--reference", type=given_path, help=reference)
    formatted = add("formats", "covers of one song in every format, against WAV; needs ffmpeg")
    formatted.add_argument("--seconds", type=float, default=30.0, help="of the song")
    add("sleep", "cost of silence, awake and asleep")
    add(
        "timing",
        "when notes are sent and when they are due, idle and beside busy programs",
    )
    paged = add("panel", "when notes are sent and drawn, with and without an open panel")
    paged.add_argument("--rounds", type=int, default=2, help="of without, with, with, without")
    paged.add_argument("--seconds", type=float, default=30.0, help="of the song, each time")
    paged.add_argument("--browser", action="store_true", help="Chromium, not only a client")
    framed = add("frames", "frames a second of the panel's page, in Chromium")
    framed.add_argument("--seconds", type=float, default=10.0, help="of each screen")
    changing = add("change", "delay of a change of style while the song plays")
    changing.add_argument("--changes", type=int, default=40)
    soak = add("soak", "minutes of live playing on real servers: notes, losses, memory")
    soak.add_argument("--minutes", type=float, default=10.0)
    delay = add("monitor", "delay of the monitor compared with the latency, on real servers")
    delay.add_argument("--impulses", type=int, default=40, help="half a second each")
    bounded = add("plugin", "cost of a block of audio from another process, as for plugins")
    bounded.add_argument("--seconds", type=float, default=10.0, help="of sound, each time")
    add("servers", "recovery after audio and MIDI servers are killed and restarted: seconds, notes")
    panicking = add("panic", "delay of panic while a model is being opened")
    panicking.add_argument("--panics", type=int, default=8)
    killed = add("killed", "what a take loses when livecover is killed, on real servers")
    killed.add_argument("--seconds", type=float, default=20.0, help="of the song")
    ending = add("endings", "seconds that each way to end takes while a server hangs")
    ending.add_argument("--only", default="", help="ways with this in their name")
    shifted = add("arranged", "timing of arranged MIDI in the song, for different starts")
    shifted.add_argument("--offsets", type=int, default=100)
    shifted.add_argument("--seconds", type=float, default=30.0, help="of each song")
    metred = add("metre", "detection of metre (three, four) and bar lines; needs FluidSynth")
    metred.add_argument("--songs", type=int, default=40)
    remembered = add("memory", "memory for long songs: cover, score, quantize, evaluate")
    remembered.add_argument("--minutes", type=float, nargs="+", default=[5.0, 60.0])
    humming = add("hum", "response to a mains hum and a fan: notes, sleep, processor")
    humming.add_argument("--seconds", type=float, default=30.0)
    add("accompany", "cost of beat and accompanist beside the model, on one core")
    add("itself", "plans of mode accompany where its piano is in the microphone too")
    timed = add("onbeat", "onsets of mode accompany against the song's beats, on real servers")
    timed.add_argument("--ahead", type=float, default=0.0, help="milliseconds")
    timed.add_argument("--beats", type=given_path, help="of the song: seconds, a line each")
    synced = add("sync", "how even MIDI clock leaves, and whether it stays on the song's beat")
    synced.add_argument("--seconds", type=float, default=300.0, help="of the song")
    graphed = add("graph", "what PipeWire's graph takes with MIDI, and what is declared of it")
    graphed.add_argument("--notes", type=int, default=200, help="at each quantum")
    add("calibrate", "a measured way out against a known delay, on a real server")
    both = add("together", "seconds from livecover together to the first sound, on real servers")
    both.add_argument("--runs", type=int, default=5)
    built = add("app", "seconds from the start of the app without Python to its panel; its size")
    built.add_argument("folder", type=given_path, help="dist/livecover, which make app makes")
    built.add_argument("--bare", action="store_true", help="on a bare Debian without Python")
    add("startup", "seconds from the command to MIDI-ready, on real servers")
    add("size", "installed size without extras")
    return main


def measure(arguments: argparse.Namespace) -> str:
    """Return the table asked for. Raises LiveCoverError."""
    match arguments.what:
        case "rtf":
            return models.rtf(arguments.model, arguments.song)
        case "streaming":
            return models.streaming(arguments.model, arguments.song, arguments.seconds)
        case "window":
            return models.window(arguments.model, arguments.steps)
        case "robust":
            return robust.table(arguments.model, arguments.song, arguments.reference)
        case "formats":
            return formats.table(arguments.model, arguments.song, arguments.seconds)
        case "sleep":
            return models.sleep(arguments.model)
        case "timing":
            return live.timing(arguments.model, arguments.song)
        case "panel":
            return panel.timing(
                arguments.model,
                arguments.song,
                arguments.rounds,
                arguments.seconds,
                with_browser=arguments.browser,
            )
        case "frames":
            return frames.table(arguments.model, arguments.song, arguments.seconds)
        case "change":
            return change.style(arguments.model, arguments.song, arguments.changes)
        case "soak":
            return live.soak(arguments.model, arguments.song, arguments.minutes)
        case "monitor":
            return monitor.delay(arguments.model, arguments.impulses)
        case "plugin":
            return plugin.boundary(arguments.seconds)
        case "servers":
            return servers.killed(arguments.model, arguments.song)
        case "panic":
            return panic.delay(arguments.model, arguments.song, arguments.panics)
        case "killed":
            return takes.killed(arguments.model, arguments.song, arguments.seconds)
        case "endings":
            return endings.endings(arguments.model, arguments.only)
        case "arranged":
            return arranged.offsets(
                arguments.model, arguments.song, arguments.offsets, arguments.seconds
            )
        case "metre":
            return metre.metres(arguments.model, arguments.songs)
        case "memory":
            return memory.peaks(arguments.model, arguments.song, arguments.minutes)
        case "hum":
            return hum.table(arguments.model, arguments.seconds)
        case "accompany":
            return accompany.cost(arguments.model, arguments.song)
        case "itself":
            return itself.table(arguments.model)
        case "onbeat":
            return accompany.on_beat(
                arguments.model, arguments.song, arguments.beats, arguments.ahead / 1000
            )
        case "sync":
            return sync.table(arguments.model, arguments.seconds)
        case "graph":
            return graph.table(arguments.notes)
        case "calibrate":
            return calibrate.table()
        case "together":
            return together.table(arguments.model, arguments.runs)
        case "app":
            return app.table(arguments.folder, arguments.bare)
        case "startup":
            return install.startup()
        case _:
            return install.size()


def main() -> int:
    """Print the table; return the exit code."""
    return run_command("livecover.bench", _main)


def _main() -> int:
    say(measure(parser().parse_args()))
    return 0
