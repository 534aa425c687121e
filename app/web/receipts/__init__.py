"""What providers and receivers tell of messages: `POST /receipts/{provider}` and what each of them means by it."""
