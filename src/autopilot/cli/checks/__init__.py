"""What `autopilot doctor` looks at: one finding a check, each true when it is printed."""
