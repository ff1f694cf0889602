"""The panel's server, on loopback: ``server`` is started by a command.

``security`` checks every request, ``connections`` limits those without the token, ``sessions`` are
the open WebSockets, ``send_queue`` and ``rate_limiter`` bound each of them, ``page_files`` are the
page's files, ``browser`` opens the page, ``address`` keeps its token, ``api`` is for scripts.
"""
