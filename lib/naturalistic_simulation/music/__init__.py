"""Simulated music: pieces in ten genres, their sound and captions, and the experiment in which they are played."""
