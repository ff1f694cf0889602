"""From blocks to events, as live and whole songs share it; style and cost."""
