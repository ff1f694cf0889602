"""Two papers on transcription, measured as they measure, and what of them a user takes up.

``transfer_study``: knowledge carried among instruments (Leś and Woźniak, 2023); ``vision_study``:
networks that see a spectrogram as a picture (Sharma and Xiao, 2022); ``adapt``: the shipped
transcriber adapted to a user's instrument. Beneath them: ``sounds`` (what is heard), ``excerpts``
(features and rolls), ``losses``, ``learning`` (the loop), ``rolls`` (roll to notes, and scores),
``tables`` and ``pictures``. Not here: the networks (``models``).
"""
