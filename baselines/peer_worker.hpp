// A compressor that lives in a process of its own and stays there: started once, asked many times, so that starting an
// interpreter and importing a package are not part of a call. What crashes, hangs or lies about its sizes costs that
// process and one call.
//
// The protocol, over the process's standard streams; integers are little-endian:
//   request   u32 size of the head, u64 size of the body, head (text, see call()), body
//   answer    u32 status (0 done, 1 failed), f64 seconds that the work itself took, u64 size of the body, body: bytes,
//             or in UTF-8 why it failed
// The worker greets with one answer before the first request: its version, or why it cannot work. It leaves when its
// standard input ends.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

class PeerWorker {
 public:
  // `command` and `environment` as for Child; nothing is started yet.
  explicit PeerWorker(std::vector<std::string> command, std::vector<std::string> environment = {});
  ~PeerWorker();
  PeerWorker(const PeerWorker&) = delete;
  PeerWorker& operator=(const PeerWorker&) = delete;

  struct Answer {
    std::size_t size = 0;  // bytes of `out` that were written
    double seconds = 0;    // on the worker's clock, around the work alone
  };
  // Asks for one piece of work, starting the process if there is none. `out` takes the answer's body. Calls from
  // several threads wait for each other. Throws Error{unsupported} with the worker's own words when it says that it
  // failed, which leaves it running; and, ending the process so that the next call starts another: Error{not_found} (no
  // such program), Error{limit} (no answer within `timeout`, not counting the start, or more bytes than `out` holds),
  // Error{corrupt} (an answer that is not of this protocol) and Error{io} (it died, with the end of what it wrote to
  // standard error).
  Answer call(const std::string& head, Bytes in, MutBytes out, std::chrono::milliseconds timeout);

 private:
  class Running;

  std::vector<std::string> command_, environment_;
  std::mutex turn_;
  std::unique_ptr<Running> running_;
};

}  // namespace wcodec
