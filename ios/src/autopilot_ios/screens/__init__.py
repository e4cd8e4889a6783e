"""One file a screen: it reads a store of the client core and draws it; what a finger does is a call of the core."""
