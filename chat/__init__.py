"""A chat over QUIC: `python -m chat serve`, `join` and `demo`. Each message travels on a stream of its own."""

from quicmini import loading as loading  # before everything else, which takes a while
