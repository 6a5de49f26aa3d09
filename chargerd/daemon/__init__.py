"""Daemon: the shell around the engine: the only place with a clock, threads and sockets."""
