"""The screens, a file each: what is asked of the API, and how the answer is laid out."""
