"""The generator: reads `proto/` through buf, writes what `autopilot.contract` ships. Never imported by the product."""
