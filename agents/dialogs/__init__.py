"""What is decided about dialogs: the clocks (`clocks.py`), the alerts (`alarms.py`), the team (`staff.py`), and the whole (`decide.py`)."""
