"""An independent oracle of what wcodec measures: plain NumPy, written from docs/format.md, importing nothing of wcodec.

It starts from the bytes of a checkpoint, quantizes, predicts, decides modes, and builds the whole tensor record, so
that the figures of a row of ``summary.csv`` and ``modes.csv`` are computed a second time by code that shares nothing
with the first. It covers the quantizers ``int8:axis=row``, ``int8:axis=tensor``, ``int4:group=128`` and ``lossless`` of
BF16 and F32, the predictors none, left, top, avg and planar, and the coders ``raw`` and ``rans:tables=tensor``.
"""
