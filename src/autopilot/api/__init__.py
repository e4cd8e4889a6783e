"""The public facade: sign-in, sessions, limits. Holds no worker state."""
