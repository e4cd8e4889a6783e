"""The SDK and the screen-free core of every client. Standard library and httpx2 only."""
