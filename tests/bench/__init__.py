"""The benchmark: quicmini and aioquic do the same work, in the same run, taking turns.

    work.py           what is measured, and the settings that both sides share
    quicmini_side.py  the work done with quicmini: a server process and a client process
    aioquic_side.py   the same with aioquic
    runner.py         starts the processes, takes turns, gathers medians

Server and client are separate processes over loopback UDP. Both implementations use an ECDSA P-256 certificate that
the client verifies, AES-128-GCM, datagrams of 1200 bytes and the same windows, and check every byte that arrives.
Starting processes, and connecting where the handshake is not what is measured, is not counted.
"""
