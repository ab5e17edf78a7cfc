"""A Ray cluster of two nodes on this machine, for test_engines.py: prints its address, then obeys a line at a time.

add: another node joins. remove: the last one that joined dies. Ends with its input.
"""

import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "resources": {"wcodec_timing": 1}, "object_store_memory": 100 << 20}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    nodes = [cluster.add_node(**NODE)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            nodes.append(cluster.add_node(**NODE))
        elif line.strip() == "remove":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
