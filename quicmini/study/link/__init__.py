"""A bad network on this machine, between real sockets: to see what QUIC does about it."""
