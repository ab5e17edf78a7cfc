"""Compressors that others wrote, as baselines: the half of baselines/peers.cpp that runs in Python.

Every peer is one module in wcodec_peers.adapters, and one line here."""

# Name of the baseline → its package on PyPI. The adapter has the baseline's name.
PACKAGES = {
    "zipnn": "zipnn",
    "openzl": "openzl",
    "pcodec": "pcodec",
    "z4ai": "z4ai",
    "nncodec": "nncodec",
    "constriction": "constriction",
    "zfp": "zfpy",
    "fpzip": "fpzip",
}
