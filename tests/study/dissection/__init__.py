"""`python -m quicmini dissect`, part by part, and beside tshark."""
