"""What every process needs to run: settings, logging, metrics, clock, serving, lifecycle."""
