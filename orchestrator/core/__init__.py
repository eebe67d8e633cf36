"""Ground floor: values and decisions, and nothing else.

May touch: its arguments. Promises: the same inputs give the same result; every value is frozen.
Refuses: files, clock, network, log, threads and `await`. Time and randomness come in as arguments.
"""
