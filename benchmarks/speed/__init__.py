"""How fast and how accurate the kernels are, beside what an engineer would otherwise call."""
