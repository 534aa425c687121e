"""Stands in for aiokafka's producer, where the client and not the broker is what the test is about."""


class Batch:
    """As many records as one likes."""

    def append(self, **_record):
        return 1

    def close(self):
        pass


class Producer:
    """One that connects at once; the test says in `send_batch` what becomes of batches."""

    def __init__(self):
        self._sender = self.client = self
        self.closed = False

    async def start(self):
        pass

    async def stop(self):
        self.closed = True

    async def close(self):
        self.closed = True

    def create_batch(self):
        return Batch()
