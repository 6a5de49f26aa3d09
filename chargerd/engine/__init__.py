"""Engine: state after a fact, and what follows from it. Pure: it sees no clock, file, socket, environment or chance."""

VERSION = "9"
"""Version of what `evolve` makes of the log. Snapshots of another version are not used; the log is folded again."""
