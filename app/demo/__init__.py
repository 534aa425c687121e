"""The demo: a small shop with the real tracker, simulated shoppers, and a watcher that reads the inbox."""
