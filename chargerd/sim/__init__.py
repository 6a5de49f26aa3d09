"""Simulation: the engine in simulated time, the physics of a home, and simulated devices that speak real protocols."""
