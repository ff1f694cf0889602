"""The terminal view, ``livecover --tui``.

``keys`` reads the keyboard, ``roll`` keeps the notes of the last seconds, ``view`` renders the
lines, ``screen`` shows them and handles keys.
"""
