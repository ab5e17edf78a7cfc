#!/usr/bin/env python3
"""What limits a product of packed weights on which GPU, as a Markdown table for docs/fused.md.

    bench/product_roofline.py

Bytes a weight are those of a 4096-column matrix. Instructions are those of the inner loop of one vector, counted in the
machine code for sm_90 (docs/fused.md says how); another architecture's compiler gives a few more or fewer. Bandwidths,
multiprocessors and clocks are the vendors' figures, but for the clocks of H100 and H200, which were read while the
kernels ran. REACHED is what a plain read reached of the vendor's bandwidth on both of them.
"""

from typing import NamedTuple

REACHED = 0.925


class Gpu(NamedTuple):
    name: str
    gigabytes: float  # a second, of the vendor
    multiprocessors: int
    gigahertz: float


class Format(NamedTuple):
    name: str
    bits: float
    issued: float  # instructions a weight in each lane's count
    logic: float  # of them those that run at half rate: permutations, logic, shifts, integer additions


GPUS = (
    Gpu("L40S", 864, 142, 2.52),
    Gpu("RTX 4090", 1008, 128, 2.52),
    Gpu("RTX 5090", 1792, 170, 2.41),
    Gpu("A100 80 GB", 2039, 108, 1.41),
    Gpu("H100", 3350, 132, 1.83),
    Gpu("H200", 4800, 132, 1.98),
    Gpu("B200", 8000, 148, 1.97),
)
PLAIN = Format("bf16", 16.0, 0.60, 0.20)
FORMATS = (
    Format("bf16-palette", 12.03, 2.05, 1.52),
    Format("int8", 8.01, 2.56, 1.64),
    Format("int4", 4.125, 2.42, 1.22),
)


def memory_rate(gpu: Gpu, form: Format) -> float:
    """10¹² weights a second that memory delivers."""
    return REACHED * gpu.gigabytes * 8 / form.bits * 1e-3


def issue_rate(gpu: Gpu, form: Format) -> float:
    """10¹² weights a second that four schedulers, and 64 lanes of logic, of each multiprocessor can decode."""
    lanes = gpu.multiprocessors * gpu.gigahertz * 1e-3
    return lanes * min(128 / form.issued, 64 / form.logic)


def main() -> None:
    print(
        "| GPU | GB/s | plain bf16, 10¹² weights/s |"
        + "".join(f" {f.name} | gain |" for f in FORMATS)
        + " wins up to |"
    )
    print("|---" * (4 + 2 * len(FORMATS)) + "|")
    for gpu in GPUS:
        plain = memory_rate(gpu, PLAIN)
        row = f"| {gpu.name} | {gpu.gigabytes:,.0f} | {plain:.2f} |"
        for form in FORMATS:
            memory, issue = memory_rate(gpu, form), issue_rate(gpu, form)
            mark = "" if memory < issue else " (issue)"
            row += f" {memory:.2f} of {issue:.1f}{mark} | {min(memory, issue) / plain:.2f} |"
        # Where decoding as fast as can be only equals reading plain bf16.
        crossing = issue_rate(gpu, FORMATS[0]) * 2e3 / REACHED
        print(row + f" {crossing:,.0f} GB/s |")


if __name__ == "__main__":
    main()
