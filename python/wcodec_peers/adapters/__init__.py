"""One module a peer. Each has `codec(array)`, which makes an object for arrays of one type, shape and set of options:

    compress(data: bytearray) -> bytes-like      what the array is, little-endian and row-major; may be written to
    decompress(data: bytes) -> bytes-like        the same bytes again

Both are timed as a whole, so they hold what a caller of the package has to do and no more. `codec` raises Refusal, with
a sentence, for a type of array that the package does not take."""
