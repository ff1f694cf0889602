"""Options of what is played: input and output, playing, MIDI notes.

The ``dest`` of each is the ``section.key`` that it sets.
"""

import argparse

from engine.core.settings import BEAT_SOURCES, HEARS_ITSELF, MODES, PARTS_PLAYED, PEDALS, RHYTHMS
from livecover.options.values import (
    add_switch,
    add_value,
    bpm,
    channel,
    channels,
    hertz,
    number_or_text,
    octaves,
    program,
    seconds,
)
from livecover.settings.sections import Settings


def add_source_and_sink(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of input and output."""
    add_value(
        group,
        "--input",
        "audio.input",
        "WHAT",
        "loopback (what this computer plays), app:NAME (one program, as app:Firefox; on Linux),"
        " mic, a device's name or index, or an audio file: wav,"
        " flac, ogg, mp3, and with PyAV or ffmpeg m4a, mp4, webm, wma and more; - is a file on"
        f" standard input (default: {defaults.audio.input})",
    )
    add_value(
        group,
        "--player",
        "audio.player",
        "WHO",
        "together: whose sound is taken: auto, what plays; all; or a program's name, such as"
        f" Firefox (default: {defaults.audio.player})",
    )
    add_value(
        group,
        "--channels",
        "audio.channels",
        "N,N",
        "channels of an interface that are heard, as 3 or 3,4, counted from 1"
        " (default: the first two)",
        channels,
    )
    add_value(
        group,
        "--gain",
        "audio.gain_db",
        "DB",
        "decibels by which the input is made louder, -60 to 60"
        f" (default: {defaults.audio.gain_db:g})",
        float,
    )
    group.add_argument(
        "--midi-out",
        dest="midi.midi_out",
        metavar="WHERE",
        action="append",
        help="a MIDI port or a .mid file; repeat it for several. If no port has this name, a"
        f" virtual port is opened (default: {', '.join(defaults.midi.midi_out)})",
    )


def add_playing(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of how it plays."""
    add_value(
        group,
        "--style",
        "model.style",
        "STYLE",
        "calm, balanced, intense, a number from 0 (calm) to 1 (intense), or from:FILE.mid for the"
        f" style of that piano part (default: {defaults.model.style})",
        number_or_text,
    )
    add_value(
        group,
        "--tuning",
        "model.tuning",
        "HZ",
        "the song's A in hertz, 392 to 494, or auto, which detects it (default: auto)",
        hertz,
    )
    add_value(
        group,
        "--centre",
        "model.centre",
        "X",
        "how much fainter a cover hears what is not in the middle of stereo, where singers are:"
        f" 0 is not at all, 1 is no longer (default: {defaults.model.centre:g})",
        float,
    )
    add_value(
        group,
        "--density",
        "decoder.density",
        "X",
        "how many notes: 0.5 is half as many as the style has, 2 twice as many"
        f" (default: {defaults.decoder.density:g})",
        float,
    )
    add_value(
        group,
        "--polyphony",
        "decoder.polyphony",
        "N",
        f"most notes that sound at once (default: {defaults.decoder.polyphony})",
        int,
    )
    group.add_argument(
        "--mode",
        dest="play.mode",
        choices=MODES,
        help="cover, the song by a constant latency later, or accompany, an accompaniment on its"
        f" beat, without the melody (default: {defaults.play.mode})",
    )
    group.add_argument(
        "--rhythm",
        dest="play.rhythm",
        choices=RHYTHMS,
        help="of a cover: beat, on the song's beat where it has one, with an accompaniment as a"
        " pianist plays it, or free, every note when and as it is heard"
        f" (default: {defaults.play.rhythm})",
    )
    group.add_argument(
        "--parts",
        dest="play.parts",
        choices=PARTS_PLAYED,
        help="full, accompaniment (without the melody, for a singer or soloist) or melody"
        f" (default: {defaults.play.parts})",
    )
    add_switch(
        group, "--hands", "play.hands", "only what two hands can play, with --rhythm free too"
    )
    add_value(
        group,
        "--hand-span",
        "play.hand_span",
        "N",
        f"semitones that one hand can reach (default: {defaults.play.hand_span})",
        int,
    )
    group.add_argument(
        "--pedal",
        dest="play.pedal",
        choices=PEDALS,
        help="the sustain pedal: off, or harmony, which changes it with the harmony"
        f" (default: {defaults.play.pedal})",
    )
    add_switch(group, "--mute", "play.mute", "start muted: play nothing until you unmute")
    add_switch(group, "--hold", "play.hold", "hold the sustain pedal down")
    add_value(
        group,
        "--latency",
        "time.latency",
        "TIME",
        "from a note in the song to its MIDI note: seconds, 300ms, or auto, the shortest possible;"
        " with more the covers are better, up to 4 s (default: auto)",
        seconds,
    )


def add_beat(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of the song's beat."""
    group.add_argument(
        "--beat",
        dest="beat.source",
        choices=BEAT_SOURCES,
        help="where the beat comes from: auto, the sound, or a DAW's MIDI clock while it plays;"
        f" tap, only you; clock, only the DAW; or off (default: {defaults.beat.source})",
    )
    add_value(
        group,
        "--tempo",
        "beat.tempo",
        "BPM",
        "beats a minute, if you know them, or auto (default: auto)",
        bpm,
    )
    add_value(
        group,
        "--metre",
        "beat.metre",
        "METRE",
        "4/4, 3/4, or auto, which detects it; of scores and quantized takes too (default: auto)",
    )


def add_accompaniment(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of mode accompany."""
    add_value(
        group,
        "--ahead",
        "accompany.ahead",
        "TIME",
        "send notes so long before their beat, such as 20ms: what synth,"
        " interface and air take (default: 0)",
        seconds,
    )
    add_value(
        group,
        "--seed",
        "accompany.seed",
        "N",
        "of its choices: the same song and seed give the same notes"
        f" (default: {defaults.accompany.seed})",
        int,
    )
    group.add_argument(
        "--hears-itself",
        dest="accompany.hears_itself",
        choices=HEARS_ITSELF,
        help="whether what it plays is in the input too: on, off, or auto,"
        f" which takes it out of a device's (default: {defaults.accompany.hears_itself})",
    )


def add_midi(group: argparse._ArgumentGroup, defaults: Settings) -> None:
    """Add the options of the MIDI notes."""
    add_value(group, "--channel", "midi.channel", "N", "MIDI channel, 1 to 16 (default: 1)", int)
    add_value(
        group,
        "--melody-channel",
        "midi.melody_channel",
        "N",
        "another channel for the melody, or auto for the same (default: auto)",
        channel,
    )
    add_value(
        group,
        "--left-channel",
        "midi.left_channel",
        "N",
        "with --hands, another channel for the left hand, or auto for the same (default: auto)",
        channel,
    )
    add_value(
        group, "--octave", "midi.octave", "N", "octaves up, or down if negative (default: 0)", int
    )
    add_value(
        group,
        "--melody-octave",
        "midi.melody_octave",
        "N",
        "octaves for the melody beside, or auto for one where it is sung low (default: auto)",
        octaves,
    )
    add_value(
        group,
        "--left-octave",
        "midi.left_octave",
        "N",
        "octaves for the left hand beside (default: 0)",
        int,
    )
    for option, dest, text in (
        ("--lowest-key", "midi.lowest_key", "MIDI note; what is lower is moved up by octaves"),
        ("--highest-key", "midi.highest_key", "MIDI note; what is higher is moved down by octaves"),
        ("--lowest-velocity", "midi.lowest_velocity", "what the softest note becomes"),
        ("--highest-velocity", "midi.highest_velocity", "what the loudest note becomes"),
    ):
        default = getattr(defaults.midi, dest.partition(".")[2])
        add_value(group, option, dest, "N", f"{text} (default: {default})", int)
    for option, dest, text in (
        ("--program", "midi.program", "program number that the ports get at the start, 0 to 127"),
        ("--bank", "midi.bank", "bank before it, 0 to 16383"),
    ):
        add_value(group, option, dest, "N", f"{text}, or auto for none (default: auto)", program)
    add_value(
        group,
        "--transpose",
        "midi.transpose",
        "N",
        "semitones up, or down if negative (default: 0)",
        int,
    )
    add_value(
        group,
        "--velocity-curve",
        "midi.velocity_curve",
        "CURVE",
        "linear, soft, hard, fixed, or a number: above 1 is softer, below 1 harder"
        f" (default: {defaults.midi.velocity_curve})",
        number_or_text,
    )
