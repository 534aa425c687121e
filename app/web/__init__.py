"""The public and internal HTTP sides: collector, tracker, console."""
