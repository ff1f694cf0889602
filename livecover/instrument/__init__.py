"""The engine with everything around it, as the command, the panel and controllers play it."""
