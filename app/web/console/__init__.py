"""The internal side: live feed, customers' timelines, inbox. Begin with `app.py`."""
