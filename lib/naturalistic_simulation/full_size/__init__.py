"""One subject of each real data set, made at full size: what the full data cost is measured before they are fetched.

The files have the names, the layout and the size of the published ones. What is in them is made: a miniature on the
scanner's own grid, with noise of its own in every voxel. Their READMEs begin with ``SIMULATED DATA``, so that every
figure and every result of a chapter says so; otherwise a chapter opens them as it opens the real data.
"""

from naturalistic_simulation.full_size.listener import make_listener
from naturalistic_simulation.full_size.viewer import make_viewer

__all__ = ["make_listener", "make_viewer"]
