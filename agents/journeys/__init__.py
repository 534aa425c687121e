"""Journeys: one run of one customer through the steps of a scenario (`agents/scenarios/program.py`). Pure.

enter.py ──▶ walk.py: step by step until one has to wait ◀── hear.py: an event    due.py: a deadline, a message    settled.py: a cascade is over
"""
