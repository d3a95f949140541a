"""Minutes of mixed load while brokers die and freeze; then every record is accounted for.

    python -m kafkalab.faults.soak --minutes 10 --seed 1

`run()` in run.py does it: load.py sends, havoc.py breaks, footprint.py watches, verdict.py judges.
"""
