"""Covers a song and shows the result: ``python -m livecover.demo --out out`` (``make demo``).

Leaves in the folder: ``cover.mid``, ``cover.wav`` (the piano), ``song-and-cover.wav`` (song left,
piano right) and ``cover.png`` (piano roll over the song's spectrogram).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
from rich.console import Console

from engine.core.errors import ConfigError
from engine.core.settings import AudioSettings, EngineSettings, MidiSettings, ModelSettings
from engine.cover.stream import CoverStream, open_pipeline
from engine.model.latency import LatencyBudget, latency_budget
from engine.perform.decoder import NoteDecoder
from engine.playback.soundfonts import find_soundfont
from engine.system.command import run_command, say
from engine.system.paths import given_path, shown, system_path
from engine.whole_song.cover import Cover, cover_file
from livecover import examples
from livecover.commands.console import progress_bar
from livecover.commands.picture import check_matplotlib, draw_cover
from livecover.options.parser import Parser
from livecover.sounds.rendering import find_fluidsynth, render_piano, side_by_side


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What the demo leaves in a folder."""

    folder: Path

    @property
    def midi(self) -> Path:
        """The cover's notes."""
        return self.folder / "cover.mid"

    @property
    def piano(self) -> Path:
        """The cover's sound."""
        return self.folder / "cover.wav"

    @property
    def both(self) -> Path:
        """The song on the left channel, the piano on the right."""
        return self.folder / "song-and-cover.wav"

    @property
    def picture(self) -> Path:
        """The piano roll over the song's spectrogram."""
        return self.folder / "cover.png"


def make_parser() -> Parser:
    """Return the parser of the demo's options."""
    parser = Parser(prog="python -m livecover.demo", description="Cover a song and show the result")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (default: out)")
    parser.add_argument("--song", type=Path, default=examples.path(), help="default: the example")
    parser.add_argument("--model", default=ModelSettings().model, help="default: %(default)s")
    parser.add_argument("--soundfont", type=Path, help="of the piano (default: the first found)")
    return parser


def live_budget(settings: EngineSettings, sample_rate: int, n_channels: int) -> LatencyBudget:
    """Return the latency that the same song, model and settings have live.

    The device's own latency, which only an open device tells, is not in it.
    """
    pipeline = open_pipeline(settings.model)
    stream = CoverStream(pipeline, settings, sample_rate, n_channels)
    return latency_budget(
        pipeline.spec,
        settings.time,
        block=settings.audio.block_size / sample_rate,
        resampler=stream.resampler_delay,
        decoder_frames=NoteDecoder.lookahead_frames,
    )


def run_demo(song: Path, model: str, files: DemoFiles, soundfont: Path | None) -> list[str]:
    """Write the files; return the summary lines.

    Raises
    ------
    LiveCoverError
        If the song, the model, FluidSynth, the SoundFont or matplotlib is missing or broken, or
        the folder cannot be written. Tools are looked for before work begins.
    """
    find_fluidsynth()
    check_matplotlib()
    soundfont = find_soundfont(soundfont)
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"expected a folder to write to after --out: {error}") from error
    settings = EngineSettings(
        audio=AudioSettings(input=str(song.absolute())),  # a file, whatever its name
        model=ModelSettings(model=model),
        midi=MidiSettings(midi_out=(str(files.midi),)),
    )
    with progress_bar(Console(stderr=True), "covering") as on_progress:
        cover = cover_file(settings, on_progress)
    sound, sample_rate = soundfile.read(system_path(song), dtype="float32", always_2d=True)
    piano = render_piano(files.midi, len(sound), sample_rate, soundfont)
    soundfile.write(system_path(files.piano), piano, sample_rate)
    soundfile.write(system_path(files.both), side_by_side(sound, piano), sample_rate)
    title = f"{shown(song.stem)}, covered by {Path(model).stem}"
    draw_cover(files.picture, sound.mean(1), sample_rate, cover.notes, title)
    return report(cover, live_budget(settings, sample_rate, sound.shape[1]), files)


def report(cover: Cover, budget: LatencyBudget, files: DemoFiles) -> list[str]:
    """Return what there is to say, by line."""
    n_melody = sum(event.is_on and event.part == "melody" for event in cover.notes)
    written = (files.midi, files.piano, files.both, files.picture)
    return [
        f"live: {budget.describe()}",
        f"real-time factor {cover.real_time_factor:.3f}: {cover.seconds:.1f} s of song in"
        f" {cover.elapsed:.1f} s",
        f"{cover.n_notes} notes, {n_melody} of them melody",
        f"wrote {', '.join(str(path) for path in written)}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo with ``arguments`` (default: as typed); return the exit code."""
    return run_command("demo", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = make_parser().parse_args(arguments)
    files = DemoFiles(given_path(options.out))
    soundfont = options.soundfont and given_path(options.soundfont)
    say(*run_demo(given_path(options.song), options.model, files, soundfont))
    return 0
