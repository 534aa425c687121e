"""More partitions for a running system: where everything belongs then (`plan.py`), and its move (`move.py`)."""
