"""The single processes of an installation, one module each, so that each imports only what it runs.

What `autopilot up` starts as children, and what a deployment on several machines starts by itself.
"""
