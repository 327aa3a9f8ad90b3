"""quicmini and an implementation that nobody here wrote, talking to each other over links that behave badly.

    python -m tests.interop --jobs 4                      all cases of the public interop runner, in full size
    python -m tests.interop --case retry --keep FOLDER    one case; its packets, decrypted, in FOLDER/…/packets.txt

cases.py        what is transferred over which link, and what the packets must show
runner.py       one cell of the matrix: two processes (endpoint.py, aioquic_endpoint.py) and a link between them
pcap.py         what went over the link (quicmini/study/link/) as a file for Wireshark
checks.py       what the packets must show (dissect.py: from datagrams and key logs to frames)
explained.py    cells that are not green because of the other implementation
"""
