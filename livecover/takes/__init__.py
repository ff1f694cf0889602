"""Takes: for each recording a MIDI file, the song as FLAC, and a JSON file about both.

``recorder`` is the engine's tap, ``recording_queue`` leads to its thread, ``writer`` begins and
ends takes, ``session`` is one take. ``journal`` and ``flac`` write while recording; ``ending``
makes the files of the journal, after the end or after a crash; ``rendering`` and ``sound`` make the
piano's. All files of a take begin at the same time: second 0 of the MIDI file is sample 0 of the
audio.
"""
