"""The streaming cover network's training: its settings, its task, its losses."""
