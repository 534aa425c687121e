"""The tracker: the script that a shop puts on its pages. `app/web/collector/script.py` serves it as it stands."""
