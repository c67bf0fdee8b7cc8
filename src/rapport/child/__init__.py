"""What the processes run that `rapport serve` starts: `python -m rapport.child api --fd N` and `… worker`.

They take their settings from the environment that the supervisor prepared, and end when it is gone.
"""

# What a process has for the requests or the steps in hand after the time for draining, when the supervisor is gone.
LAST_GRACE_S = 5
