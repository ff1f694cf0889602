"""The words about the engine's state; the live line itself is a doctest."""

from dataclasses import replace

from engine.core.notes import NoteEvent
from engine.core.settings import AudioSettings, MidiSettings
from engine.signal.meters import Status
from engine.whole_song.cover import Cover
from livecover.commands.status import cover_summary, log_line, status_line, summary
from livecover.settings.sections import Settings

PLAYING = Status(
    seconds=61.0,
    peak_dbfs=-12.3,
    latency=0.1873,
    load=0.125,
    max_load=0.31,
    n_notes=42,
    n_late=2,
    n_dropped=1,
    n_overruns=3,
    is_connected=True,
)


def test_log_line() -> None:
    assert log_line(PLAYING, "Speakers") == (
        "1:01 -12 dB | 187 ms | 42 notes, 2 late, 1 dropped | 3 overruns | load 12% | Speakers"
    )


def test_skipped_frames_are_shown_once_there_are_any() -> None:
    assert "3 overruns, 9 skipped |" in log_line(replace(PLAYING, n_skipped_frames=9), "Speakers")


def test_sleeping_and_waiting() -> None:
    asleep = replace(PLAYING, is_asleep=True)
    deaf = replace(asleep, is_midi_connected=False)
    lost = replace(deaf, is_connected=False)
    for line in (status_line, log_line):
        assert line(deaf, "Speakers").endswith("| Speakers, the MIDI port is gone")
        assert line(asleep, "Speakers").endswith("| Speakers, asleep in silence")
        assert line(lost, "Speakers").endswith("| waiting for Speakers")


def test_an_accompanist_that_does_not_play_says_so() -> None:
    for line in (status_line, log_line):
        for state, words in (("listening", "Speakers, listening"), ("playing", "Speakers")):
            assert line(replace(PLAYING, accompanist=state), "Speakers").endswith(f"| {words}")


def test_clipping_is_shown_while_it_lasts_and_counted_to_the_end() -> None:
    clipped = replace(PLAYING, n_clipped=3)
    assert " dB CLIP | " in status_line(replace(clipped, is_clipping=True), "S")
    assert "CLIP" not in status_line(clipped, "S")
    assert log_line(clipped, "S").startswith("1:01 -12 dB, 3 samples clipped | ")
    assert summary(clipped)[-1] == "the input clipped: 3 samples at full scale"


def test_a_recording_that_failed_is_first() -> None:
    fault = "recording has failed: No space left on device"
    for line in (status_line, log_line):
        assert line(PLAYING, "S", fault).startswith("recording has failed | 1:01 ")


def test_the_meter_never_overflows() -> None:
    assert status_line(replace(PLAYING, peak_dbfs=6.0), "S").startswith("1:01 ████████    6 dB")
    assert status_line(replace(PLAYING, peak_dbfs=-120.0), "S").startswith("1:01 ░░░░░░░░ -120 dB")


def test_summary() -> None:
    assert summary(replace(PLAYING, n_skipped_frames=9)) == [
        "42 notes in 1:01: 2 late, 1 dropped, latency 187 ms",
        "3 overruns, 9 frames skipped, load 12%, at most 31%",
    ]
    assert summary(replace(PLAYING, n_losses=2))[-1] == "the input was lost 2 times"
    refused = summary(replace(PLAYING, n_midi_losses=2, n_refused=31))
    assert refused[-1] == "a MIDI port was lost 2 times, and 31 messages with it"


def test_cover_summary() -> None:
    settings = Settings(
        audio=AudioSettings(input="song.wav"), midi=MidiSettings(midi_out=("a.mid", "b.mid"))
    )
    cover = Cover([NoteEvent(0.0, 60, 90), NoteEvent(1.0, 60, 0)], 20.0, 5.0, is_whole=True)
    assert cover_summary(cover, settings) == [
        "1 notes from 0:20 of song.wav in a.mid, b.mid",
        "took 5.0 s, real-time factor 0.250",
    ]
    part = replace(cover, is_whole=False)
    assert cover_summary(part, settings)[0].startswith("stopped early: 1 notes from 0:20")
