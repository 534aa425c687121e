"""Bounces and complaints that come as mail: read from a pipe, a file or a mailbox, told to the engine as receipts."""
