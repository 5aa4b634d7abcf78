"""Clients with the stock client's logic (visitors.py) on roads that lose, cut and delay, to a slow disk: in
the end the database holds exactly what was emitted (DESIGN.md 1 and 3). tests/crash has the same while the
daemon is killed.

  BEACOND_SEED       the seed, printed when something fails; 1 by default
"""

from harness import case, main, scale
from visitors import ROADS, Visitor
from world import LONG, World, play, slow_disk


@case
def each_event_is_stored_once_whatever_the_road_does():
    world = World(threads=3, hold="1h")
    visitors = [Visitor(world, n, scale(12, 3) * (20 if LONG else 1), ROADS, 0.3) for n in range(8)]
    play(world, visitors, slow_disk(visitors))


main()
