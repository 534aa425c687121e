"""The scenario language: what it can say (`language.py`), how it is read (`load.py`) and what it means (`evaluate.py`)."""
