"""The panel: a page on loopback, beside which livecover is played.

``server`` is what a command starts: a thread with the page and its WebSocket. ``messages`` are the
words between the two, ``security`` says who may speak, ``hub`` knows the pages that are open,
``desk`` does what they ask, ``tap`` hears what the engine does, ``chroma`` and ``choices`` are what
is shown. ``page/`` is the page itself.
"""
