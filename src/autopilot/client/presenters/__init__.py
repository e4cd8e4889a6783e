"""The words that a person reads, once for every screen: contract messages and the time in, short texts and tones out.

Owns words, never pixels: a web page, the phone app and the command line show the same sentence. Pure: no clock, no I/O,
and every value that it does not know is shown as it is.
"""
