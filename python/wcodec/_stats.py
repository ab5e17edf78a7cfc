"""What encoders and decoders report."""

from __future__ import annotations

from typing import Any


class Stats(dict):
    """Figures by name, as items and as attributes: stats["compression_ratio"] is stats.compression_ratio.

    source_bytes       of the layer's elements (those of 4 to 6 bits at that width), or of all files of a checkpoint
    encoded_bytes      of the record or container
    compression_ratio  source_bytes / encoded_bytes
    bits_per_weight    8 * encoded_bytes / weights
    weights            elements
    num_layers         1 for a layer
    seconds            spent in the codec
    gpu_records        of decoding a checkpoint: records that a GPU decoded, and
    cpu_records        those that the CPU did
    ledger             where encoded_bytes went, by column; it adds up to them. All 0 after decoding a layer
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def to_stats(figures: dict, **more: Any) -> Stats:
    encoded, weights = figures["encoded_bytes"], figures["weights"]
    ratio = figures["source_bytes"] / encoded if encoded else 0.0
    bits = 8 * encoded / weights if weights else 0.0
    return Stats(figures, compression_ratio=ratio, bits_per_weight=bits, **more)
