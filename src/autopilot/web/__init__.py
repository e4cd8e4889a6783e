"""The web app: server-rendered pages over the same client as every other screen.

A client of the public API that the API's process happens to serve: it asks with the token of the browser's session,
through the API's own doors, and holds no authority. Source: docs/decisions/0027-the-web-is-a-client.md.
"""
