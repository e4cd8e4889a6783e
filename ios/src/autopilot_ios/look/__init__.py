"""How things look: colours and the blocks that screens are put together from. Knows nothing of workers or events."""
