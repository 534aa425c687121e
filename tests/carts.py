"""A scenario of the abandoned cart as text, with the cascade that a test wants."""


def cart_scenario(cascade, *, id="cart", more=""):
    """`cascade`: its stages in YAML, indented by two; `more`: further lines of the scenario."""
    return f"""\
id: {id}
version: 1
title: The cart was left
family: abandonment
priority: 40
absence:
  of: [cart_changed]
  without: [ordered, cart_emptied]
  for: 60m
show:
  items: cart
{more}cascade:
{cascade}"""
