"""precision: drive a machine, watch it with an instrument, and say how precisely it moves.

The rooms, from the outside in (imports point down only):

    cli         one module a command
    benchmarks  procedures: what to move, what to read, how to evaluate it
    drivers     controllers, instruments, the virtual lab, importers of files
    standards   pure functions after a document: iso230_2, ...
    uncertainty what a figure's U is made of
    models      air, thermal expansion, the interferometer
    runs        the run directory: manifest, capture, index
    report      charts, templates, writers
    kernels     arrays in, arrays out: NumPy, Numba, CUDA
    recording   checked arrays as an instrument gave them
    figures     a number with its symbol, unit, uncertainty, or the reason it cannot be had
    errors, units

Everything inside is SI (m, rad, s, K, Pa) in float64; units appear at the edges.
"""

__version__ = "0.1.0"
