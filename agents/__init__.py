"""What we decide: the pure core, the scenario language, and the agents that run them."""
