"""The guard in web frameworks. Each module needs its framework; the guard itself needs none."""
