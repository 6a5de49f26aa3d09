"""Wire: simulated devices that speak the real protocols on loopback, for tests, for the demo, and for people without hardware."""
