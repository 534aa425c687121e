"""Dynamic segments: who is in which group of customers, by what happens and by time passing."""
