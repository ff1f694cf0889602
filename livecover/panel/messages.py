"""The messages that the panel's server sends to a page.

Each page has one WebSocket, ``socket`` under the page's own address ``http://HOST:PORT/TOKEN/``.
Times are seconds of the server's ``time.perf_counter``; a page converts them by ``ping``. Numbers
are finite; a setting that is "auto" is null. Each frame is a JSON array of one or more messages, in
order, at most ``TICKS`` frames a second (the answer to ``ping`` comes at once, in its own frame).
Each message is an object with ``type``:

``hello``
    The first message. ``version`` text; ``page``, a text that identifies the page's files: an old
    page sees that the server has newer ones; ``settings`` {section: {key: value}}, every setting;
    ``snapshot`` as in ``settings``; ``choices`` as in the message of that name; ``limits``
    {"style_file": bytes, "messages_per_second": number};
    ``measure`` true where the page is to send ``drawn``; ``quits`` true where ``do quit`` ends the
    program (``livecover app``).
``choices``
    After ``do refresh``. ``choices``: ``inputs`` [{"text": to show, "name": value of audio.input,
    "loopback": bool}, ...], ``ports`` [names for midi.midi_out], ``models`` [names for
    model.model], ``players`` [names of programs for audio.player, beside
    auto and all], ``icons`` [those of the players that have one, at ``icons/PLAYER`` under the
    page's address], ``outputs`` [{"name", "text"}, ...] for monitor.device and piano.device. A page
    may choose only these, and what has been in use since the start. Also ``styles`` [presets from
    calm to intense], ``curves`` [names for midi.velocity_curve], ``problems`` [lines: what is
    missing, and what to do].
``settings``
    After any change. ``settings`` as in ``hello``; ``snapshot``, the name of the active one.
``status``
    About ``TICKS / STATUS_EVERY`` times a second. ``now``; ``playing``, ``recording``, ``asleep``,
    ``connected`` bools (all false when idle); ``midi_connected`` false while a MIDI port is gone;
    ``recording_fault`` why recording has failed or what it waits for, or empty; ``seconds`` since
    the start; ``peak_dbfs`` of the loudest channel (-120 to 60); ``levels`` [[peak, held peak,
    samples at full scale since it was opened], ...] of each channel of the input, before the
    mixdown; ``n_clipped`` those of all since the start; ``song`` {"position", "duration"
    seconds, "paused" bool, "loop" [start, end] or null} of a song in a file, else null;
    ``load``, ``max_load`` (seconds of computing for a second of audio; above 1 is too slow);
    ``a4_hz``, the song's tuning; since the start ``n_notes``, ``n_late``, ``n_dropped``,
    ``n_overruns``, ``n_skipped_frames``, ``n_losses`` (of the input), ``n_midi_losses`` (of MIDI
    ports); ``latency`` seconds; ``budget`` [[name, seconds], ...], whose sum is ``latency``;
    ``source``, ``sink``, ``model`` names, empty when idle; ``accompanist`` listening, playing or
    resting, or empty in mode cover; ``beat`` {"source": off, heard, tapped
    or clock, "state": locked, holding or lost, "bpm": beats a minute or null}, and where that is
    known "at" the time of a beat at the input, "number" which one it is, from 0 at the first bar,
    or null, and "metre" beats in a bar; ``song_delay`` seconds until a monitor plays the input;
    ``learns`` true while the port for controllers is open;
    ``ports`` [{"role": input, notes, clock, link, controllers or output, "name", "state": open,
    gone, refused or closed, "detail"}, ...]; ``sync_running`` true while MIDI clock is sent and its
    receiver plays; ``link_peers`` other programs in the session of Ableton Link, null without one;
    ``fault`` why playing ended by itself, or empty; ``measuring`` true while ``do calibrate``
    measures.
``notes``
    As they are found, before they sound. ``notes`` [[due, pitch, velocity, part, hand], ...]: the
    time at which it is sent, MIDI pitch 0 to 127, velocity 1 to 127 or 0 for a note-off, part 0
    accompaniment or 1 melody, hand 0 left, 1 right or -1 unknown. ``pedal`` [[due, 0 or 1], ...],
    the sustain pedal. ``n_lost``: notes that this page did not get, since it reads too slowly.
``chroma``
    ``at`` time of the sound at the input (due - latency of its notes); ``values`` 12 whole numbers
    0 to 255 from C to B, the strongest 255; all 0 in silence.
``silence``
    ``at``: every sounding note ends then, and no later note of those sent before is played (stop,
    panic, mute, end of song).
``lost``
    ``at``: the input is gone; ``status`` says when it is back (``connected``).
``learn``
    ``key`` of a setting or command; ``waiting`` true while MIDI learn waits for its controller;
    ``control``, its controller as config.toml writes it, or null. After ``hello`` all that have
    one; then each that changes.
``scenes``
    After ``do scenes`` and each change of them: ``names`` in order, program number 0 first;
    ``programs``, what program changes recall: presets, scenes or empty.
``takes``
    After ``do takes`` and ``delete_take``: ``folder``; ``takes`` [{"name", "seconds", "n_notes",
    "is_whole", "files": [mix, song, piano, midi]}, ...], the newest first. A file is at
    ``takes/NAME/KIND`` under the page's address.
``log``
    ``lines`` [{"number", "at": seconds of the Unix epoch, "level": info, warning or error,
    "text"}, ...], all that are kept after ``hello``, then the new ones; numbers rise, and a line
    may come twice.
``address``
    After ``hello`` and ``renew_address``: ``address`` of the page for other devices, or empty where
    only this machine can open it; ``path`` of the page now, which differs once it is renewed.
``unsaved``
    After ``do unsaved``, what ``save`` would write. ``path`` of the settings file; ``lines``
    [[name, before, after], ...] in TOML; ``has_song`` true where the input is a song that a page
    handed over, which is not saved; ``id``, a text that identifies all of this.
``calibrated``
    After ``do calibrate``, unless it was cancelled: ``output``, a device's or port's name;
    ``seconds`` until it is heard, ``low`` and ``high`` its 5th and 95th percentile; ``n_heard`` of
    the clicks.
``saved``
    After ``save``: ``path`` of the settings file.
``error``
    ``text``, one line: a command failed, and nothing has changed.
``pong``
    ``id`` as in ``ping``; ``now``.

Not here: what a page sends (``livecover.panel.requests``).
"""

import json
from collections.abc import Mapping

TICKS = 25
"""Most frames a second to each page."""
STATUS_EVERY = 3
"""Frames from one ``status`` to the next."""


def encode_one(message: Mapping[str, object]) -> str:
    """Return one message, compact; a frame is an array of them.

    >>> encode_one({"type": "pong", "id": 1, "now": 0.5})
    '{"type":"pong","id":1,"now":0.5}'
    """
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
