"""The terminal view, ``livecover --tui``, for those without a browser.

``keys`` reads the keyboard, ``roll`` keeps the notes of the last seconds, ``view`` makes lines of
all that is to be seen, ``screen`` puts them up and takes them down again.
"""
