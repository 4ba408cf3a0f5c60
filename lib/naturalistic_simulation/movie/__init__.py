"""Simulated films and brains in the layout of OpenNeuro ds005531."""
