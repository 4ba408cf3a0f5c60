"""Simulated data at full size, one subject of each data set.

They measure what the real data cost before a download. The files have the names, the layout and the size of the
published ones. Their content is that of the small simulated data on the scanner's own grid, with noise of its own in
every voxel. Their READMEs begin with ``SIMULATED DATA``, so that every figure and every result of a chapter says so;
otherwise a chapter opens them as it opens the real data.
"""

from naturalistic_simulation.full_size.movie_subject import simulate_movie_subject
from naturalistic_simulation.full_size.music_subject import simulate_music_subject

__all__ = ["simulate_movie_subject", "simulate_music_subject"]
