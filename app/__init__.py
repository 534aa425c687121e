"""What runs, and with what words: models, settings, the engine's wiring, the web edge and the command line."""
