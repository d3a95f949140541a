"""The campaign: seeded storms of faults over a client under load, each followed by an audit of the log.

Read schedule.py (what happens), storm.py (one seed), then command.py (many seeds, and what is said of them).
"""
