"""Simulated experiment with short films: the films, their captions, and brains that follow them."""
