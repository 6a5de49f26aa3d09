"""Protocol: what is said on the control sockets: framing, the table of methods, and Varlink's view of it."""
