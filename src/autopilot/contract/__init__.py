"""What crosses a process boundary: messages, error codes, the runtime's port. Pure standard library."""
