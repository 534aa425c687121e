"""Scenarios tried out against time: an engine in memory (`engine.py`), tests in YAML (`language.py`) and their playing (`play.py`)."""
