"""The public side: takes events of trackers, apps and back ends, and answers only when Kafka has them. Begin with `app.py`."""
