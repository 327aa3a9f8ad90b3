"""One person's part in a chat: `session` talks to the server, and the faces (lines, JSON, a terminal) to the person."""
