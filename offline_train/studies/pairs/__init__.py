"""The builder of a corpus from recordings: songs and their piano covers become aligned notes.

As AMT-APC makes its data (section IV-A of the paper): synchronise, transcribe the piano, reject
unsuitable covers. ``sound`` reads and measures a recording, ``align`` finds the cover's time on the
song, ``acceptance`` accepts or rejects, ``build`` works through a folder, ``proof`` measures all.
Needs the extra ``pairs`` (synctoolbox, MIT; librosa, ISC).
"""
