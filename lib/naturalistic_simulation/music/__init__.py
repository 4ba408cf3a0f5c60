"""Simulated music: pieces in ten genres, sound, captions, and experiment."""
