"""Building blocks of pages: small functions from what is known to htpy elements. They ask nobody anything."""
