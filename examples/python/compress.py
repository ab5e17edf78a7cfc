"""A checkpoint to a container, some rows of it, and back: compress.py MODEL.safetensors"""

import sys
import tempfile
from pathlib import Path

import wcodec


def main() -> int:
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        container, copy = Path(scratch) / "model.wcodec", Path(scratch) / "copy.safetensors"
        stats = wcodec.encode_checkpoint(source, container, preset="ratio")
        print(f"{stats.num_layers} layers, ratio {stats.compression_ratio:.4f}")
        print({name: size for name, size in stats.ledger.items() if size})
        with wcodec.open(container) as model:
            name = max(model.keys(), key=lambda name: model.layer_stats(name)["source_bytes"])
            print(f"{name}: rows 2 to 5 are", model.get_slice(name)[2:5].shape)
        wcodec.decode_checkpoint(container, copy)
        print("the same again" if copy.read_bytes() == source.read_bytes() else "DIFFERENT")
    return 0


if __name__ == "__main__":
    sys.exit(main())
