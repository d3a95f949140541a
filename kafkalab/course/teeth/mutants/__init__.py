"""Modules `ch<number>[_<subject>]`, whose functions break the producer (see kafkalab.course.teeth.patch).

The first mutant of a part is the one that CI runs: the quickest, or the most telling.
"""
