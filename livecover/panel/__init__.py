"""The panel: a page in the browser that controls livecover and shows its notes.

``messages`` go to the page, ``requests`` come from it. ``command_runner`` runs its commands;
``choices`` limits what it may choose; ``snapshots`` holds A and B. ``tap`` takes notes and audio
from the engine, ``chroma`` is the roll's background, ``mapping_messages`` and ``status_message``
are state. The page is in ``page/``, its server in ``livecover.panel.web``.
"""
