"""Two papers on transcription, measured as they measure, and what of them a user takes up.

``transfer_study``: knowledge carried among instruments (Leś and Woźniak, 2023); ``vision_study``:
networks that take a spectrogram as an image (Sharma and Xiao, 2022); ``adapt``: the shipped
transcriber adapted to a user's instrument. Beneath them: ``sounds`` (the audio), ``excerpts``
(features and rolls), ``losses``, ``epochs`` (the loop), ``rolls`` (roll to notes, and scores),
``tables`` and ``pictures``. Not here: the networks (``models``).
"""
