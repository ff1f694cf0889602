"""Takes: a MIDI file, the song and a few words about both for each time that one records.

``recorder`` hears the engine, ``session`` decides what belongs to a take, ``journal`` and ``track``
write it as it goes, ``ending`` makes the files of it, after the end or after a crash. Every file of
a take begins at the same moment: second 0 of the MIDI file is sample 0 of the sound.
"""
