"""Feeds recorded events to the engine: from a file, through the collector or through the core alone."""
