"""What is run beside Kalico, a Klipper: `planned_motion.py`, a program of that controller's Python. Nothing here loads any of it."""
