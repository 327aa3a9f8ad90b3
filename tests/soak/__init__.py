"""The chat under load for minutes: many people who talk, vanish, come back and move, and a server that is killed."""
