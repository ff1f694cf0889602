"""Measures what a take loses when livecover is killed: real command, real servers.

As the end-to-end tests have it (``tests/e2e``, so a checkout is needed). Times are seconds.
"""

import tempfile
import time
from pathlib import Path

import soundfile

from engine.core.errors import DeviceError
from livecover.bench import markdown, require_servers
from livecover.takes.ending import recover_takes


def killed(model: str, song: Path, seconds: float) -> str:
    """Return what is left of a take after livecover is killed ``seconds`` into the song."""
    require_servers()
    from tests.e2e import chain as real
    from tests.e2e import takes

    with tempfile.TemporaryDirectory(prefix="livecover-") as name:
        work = Path(name)
        with real.chain(work, is_synchronous=False) as chain:
            with chain.livecover("--model", model, "--record", "takes") as livecover:
                with chain.pulse.playing(song):
                    time.sleep(seconds)
                    livecover.kill()
            sent = takes.ons(chain.recorder.messages())
        (flac,) = (work / "takes").glob("*.flac")
        as_left = soundfile.info(flac).frames / soundfile.info(flac).samplerate
        n_samples = len(soundfile.read(flac)[0])
        recover_takes(work / "takes")
        (midi,) = (work / "takes").glob("*.mid")
        kept = takes.ons(takes.read_midi_file(midi))
    if not sent or not kept:
        raise DeviceError(f"too few notes in {seconds:g} s on this machine; give --seconds more")
    lost = (sent[-1].time - sent[0].time) - (kept[-1].time - kept[0].time)
    rows: list[list[object]] = [
        ["note-ons at the port", len(sent)],
        ["note-ons in the recovered MIDI file", len(kept)],
        ["seconds of notes lost", f"{max(0.0, lost):.2f}"],
        ["seconds of song, opened as it was left", f"{as_left:.2f}"],
        ["samples that it says and holds", n_samples],
    ]
    return markdown(["killed in mid-take", "found"], rows)
