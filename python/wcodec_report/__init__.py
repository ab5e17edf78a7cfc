"""Parquet files, figures and one self-contained page from a wcodec results folder.

Run as ``python -m wcodec_report DIR``. Numbers, statistics and verdicts come from the CSV files in DIR, whose columns
``results/README.md`` defines; nothing here estimates anything, it only sums bytes and weights over tensors.
"""
