"""Messengers and help desks in: one webhook path per provider, and the gateway that is asked rather than waited for."""
