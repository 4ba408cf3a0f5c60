"""Simulated films of three dramas and six simulated brains, in the layout of OpenNeuro ds005531."""
