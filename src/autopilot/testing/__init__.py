"""The shipped test kit: scripted model, fake clock, contract suites."""
