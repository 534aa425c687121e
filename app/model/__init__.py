"""The words that travel between the rooms, as msgspec structs. Pure: no I/O, no clock, no settings."""
