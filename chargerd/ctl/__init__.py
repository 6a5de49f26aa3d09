"""Ctl: chargerctl, which asks the daemon over its sockets and prints. Standard library and `protocol` only."""
