"""Tracked links and the open pixel: where they lead, and whose requests for them are a person's."""
