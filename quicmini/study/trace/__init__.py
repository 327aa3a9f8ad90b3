"""A connection as a diagram of two sides: from qlog files, from a program that runs, or from a scene played here."""
