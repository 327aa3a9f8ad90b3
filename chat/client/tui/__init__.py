"""The terminal interface: what is said, a status line, a line to type in. Needs prompt_toolkit (extra `tui`).

terminal    from a connected session to the end: threads on one side, the interface on the other
screen      the interface itself: layout and keys
model       what is shown: what each event changes of it
transcript  what was said, wrapped, and which part of it is in view
entries     one event as something to be read
status      the status line
typist      what was typed, on its way to the session
completion  nicknames and commands
cells       how wide text is, and where it is broken
"""
