"""What we remember: the state of a customer, windows, timers, and the fenced table that keeps them."""
