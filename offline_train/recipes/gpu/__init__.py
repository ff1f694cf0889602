"""A kit for a GPU: packs small sounds and code, renders while it trains."""
