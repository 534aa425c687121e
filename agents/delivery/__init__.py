"""The sender: an agent over the outbox and the ledger, and the service that speaks. Begin with `service.py`."""
