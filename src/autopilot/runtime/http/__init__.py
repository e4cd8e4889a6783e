"""The internal contract over HTTP."""
