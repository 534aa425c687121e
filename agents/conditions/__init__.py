"""Conditions over one customer: `{orders: count, at_least: 3}` and their like, for segments and scenarios."""
