"""The whole chain on real servers: a song plays, and the port gives the same cover as the file."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e import songs, takes
from tests.e2e.chain import PORT, Chain, Tap, cover_file
from tests.e2e.jack_server import JACK_PERIOD
from tests.e2e.processes import SAMPLE_RATE
from tests.e2e.servers import SINK, fluidsynth

pytestmark = pytest.mark.e2e

FREE = ("--rhythm", "free")
CYCLE = JACK_PERIOD / SAMPLE_RATE  # JACK hands MIDI on at the begin of a cycle, up to 23 ms later


def declared_latency(text: str) -> float:
    """Return the seconds of latency that the command printed."""
    found = re.search(r"latency[^\d\n]*(\d+(?:\.\d+)?) ?ms", text, re.IGNORECASE)
    assert found, text
    return float(found[1]) / 1000


def has_pitch(sound: NDArray[np.float32], start: int, pitch: float) -> bool:
    """Return whether ``pitch`` (may lie between two keys) stands out in the 0.37 s from ``start``.

    Of its lowest four partials, two must be three times as strong as both quarter-tone neighbours.
    """
    window = sound[start : start + 16384]
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), 1 << 17))
    step = SAMPLE_RATE / (1 << 17)

    def strength(hertz: float) -> float:
        width = max(1, round(0.006 * hertz / step))  # a tenth of a semitone
        centre = round(hertz / step)
        return float(spectrum[centre - width : centre + width + 1].max())

    partials = [h * 440.0 * 2.0 ** ((pitch - 69) / 12) for h in (1, 2, 3, 4)]
    around = [max(strength(f * 2 ** (1 / 24)), strength(f / 2 ** (1 / 24))) for f in partials]
    return sum(strength(f) > 3 * a for f, a in zip(partials, around, strict=True)) >= 2


def share_with_pitch(
    sound: NDArray[np.float32], notes: Sequence[takes.Message], by: float = 0.0
) -> float:
    """Return the share of ``notes`` whose pitch, moved ``by`` semitones, is in the sound."""
    after = JACK_PERIOD  # FluidSynth plays what comes in one cycle in the next
    return float(np.mean([has_pitch(sound, m.sample + after, m.pitch + by) for m in notes]))


def test_a_song_that_plays_becomes_the_cover_that_its_file_becomes(
    chain: Chain, tune: songs.Song
) -> None:
    """A free cover: on the beat that of a file looks ahead, and knows the beat in time."""
    song = songs.example_song(chain.work / "song.wav")
    offline = cover_file(chain.work, song, chain.work / "offline.mid", *FREE)
    tap = Tap(chain.pulse)
    with (
        fluidsynth(chain.work, chain.jack),
        chain.livecover("--midi-out", "take.mid", *FREE) as livecover,
    ):
        chain.jack.connect(PORT, "fluid:midi_00")
        chain.jack.connect("fluid:left", "recorder:audio")
        chain.play(song)
        played = chain.recorder.messages()
        started = tap.start_of(song)
        tap.close()

        chain.pulse.set_mute(SINK, True)
        chain.play(tune)
        assert chain.recorder.messages() == played, "notes while the sink was muted"
        chain.pulse.set_mute(SINK, False)

        chain.jack.disconnect(PORT, "fluid:midi_00")
        chain.play(tune)
        unheard = chain.recorder.messages()[len(played) :]
        assert len(takes.ons(unheard)) >= len(songs.TUNE) // 2
        assert livecover.stop() == 0, livecover.tail()
        sound = chain.recorder.audio()

    check_notes(offline, played, started, livecover.tail())
    check_time(song, offline, played, started, declared_latency(livecover.text()))
    check_sound(sound, played, unheard)
    check_file(played + unheard, takes.read_midi_file(chain.work / "take.mid"))


def check_notes(
    offline: Sequence[takes.Message], played: Sequence[takes.Message], started: float, said: str
) -> None:
    """The live notes are the file's notes, and each ends.

    Where a song begins within a frame changes a cover a little: by 10% at most (onset F1).
    """
    assert len(takes.ons(offline)) >= 20
    assert takes.has_pairs_only(played)
    lag = np.median(takes.delays(takes.shifted(offline, started), played, reach=0.5))
    assert takes.onset_f1(offline, takes.shifted(played, -started - lag)) >= 0.8, said


def check_time(
    song: songs.Song,
    offline: Sequence[takes.Message],
    played: Sequence[takes.Message],
    started: float,
    latency: float,
) -> None:
    """Rhythm goes through unchanged, and each note comes the declared latency after its onset."""
    expected = takes.shifted(offline, started + latency)
    late = takes.delays(expected, played, reach=0.15)
    # JACK adds 0 to one cycle, of which the latency has half; the tap and livecover hear the
    # monitor some 10 ms apart at most.
    assert abs(np.median(late)) <= CYCLE / 2 + 0.015, late
    # A note is held to the begin of a cycle: two of them may come out one cycle nearer or farther.
    assert np.quantile(abs(late - np.median(late)), 0.95) <= 0.04, late
    true = [takes.Message(started + latency + t, pitch, 1) for t, pitch in song.onsets]
    late = takes.delays(true, played, reach=0.15)
    assert len(late) >= len(true) // 2
    # Here the model's own idea of an onset comes in, which may be a frame (16 ms) off.
    assert abs(np.median(late)) <= CYCLE / 2 + 0.035, late


def check_sound(
    sound: NDArray[np.float32], played: Sequence[takes.Message], unheard: Sequence[takes.Message]
) -> None:
    """FluidSynth sounds the notes it got, no other pitch, and nothing once it is unconnected."""
    notes = [m for m in takes.ons(played) if m.sample + 16384 < len(sound)]
    assert share_with_pitch(sound, notes) >= 0.9
    assert share_with_pitch(sound, notes, by=0.5) <= 0.1
    first = takes.ons(unheard)[0].sample
    assert np.abs(sound[first:]).max() < 1e-3 < np.abs(sound[:first]).max()


def check_file(port: Sequence[takes.Message], file: Sequence[takes.Message]) -> None:
    """The MIDI file holds the very notes that the port gave, in the same rhythm."""
    sent, kept = takes.ons(port), takes.ons(file)
    assert takes.has_pairs_only(file)
    assert sorted((m.pitch, m.velocity) for m in sent) == sorted(
        (m.pitch, m.velocity) for m in kept
    )
    # By pitch, as notes of one moment may come in any order; each pitch's own are in time order.
    pairs = zip(*(sorted(notes, key=lambda m: m.pitch) for notes in (sent, kept)), strict=True)
    lag = np.array([a.time - b.time for a, b in pairs])
    assert np.quantile(abs(lag - np.median(lag)), 0.95) <= 0.04


def test_the_pitch_check_hears_a_pitch_and_no_other() -> None:
    sound = np.concatenate([songs.tone(60, 1.0), songs.tone(45, 1.0)])
    assert has_pitch(sound, 0, 60) and has_pitch(sound, SAMPLE_RATE, 45)
    assert not has_pitch(sound, 0, 60.5) and not has_pitch(sound, 0, 62)
