"""The virtual lab: one seeded physical machine, seen and moved over real protocols."""
