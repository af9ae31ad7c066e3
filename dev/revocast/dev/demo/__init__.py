"""`make demo`: the whole system as real processes, and what it does, measured on the spot.

    python -m revocast.dev.demo [--once] [--samples 500]

Nothing in it is told in advance: every figure is measured and every answer asked for, and an answer that is not as it must
be fails the demo.
"""
