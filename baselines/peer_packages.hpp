// The peers, specialised compressors for numbers and weights, are Python packages: which of them are installed, and the
// processes in which they run (python/wcodec_peers).
#pragma once

#include <string>

#include "baselines/peer_worker.hpp"

namespace wcodec {

// What is known of a peer before it is started.
struct PeerPackage {
  std::string version;          // "pcodec 1.1.0", or "pcodec absent"
  std::string why_unavailable;  // a sentence that says how to mend it, or empty
};

// Asks ${WCODEC_PEERS_PYTHON}, or the Python that reports use, which of `name`'s package it has. All peers are asked
// for at once, once a process; nothing is imported. A Python that cannot be asked is an answer, never an exception.
PeerPackage peer_package(sv name);

// The worker of a peer, shared by all that call it in this process; it ends with the process.
PeerWorker& peer_worker(sv name);

}  // namespace wcodec
