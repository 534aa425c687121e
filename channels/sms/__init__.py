"""Short messages: one channel, and one file for each provider that carries them."""
