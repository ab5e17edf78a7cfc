#include "bench/gpu_timing.hpp"

#include <algorithm>
#include <vector>

namespace wcodec {
namespace {

constexpr int kWarmup = 3;

double median_of(int repeats, const Launch& launch, cudaStream_t stream) {
  const DeviceEvent begin, end;
  std::vector<double> seconds;
  for (int i = 0; i < kWarmup + repeats; ++i) {
    begin.record(stream);
    launch(static_cast<std::size_t>(i), stream);
    end.record(stream);
    const double took = end.seconds_since(begin);
    if (i >= kWarmup) seconds.push_back(took);
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

class Graph {
 public:
  Graph(std::size_t launches, const Launch& launch, cudaStream_t stream) {
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning a graph");
    try {
      for (std::size_t i = 0; i < launches; ++i) launch(i, stream);
    } catch (...) {
      cudaStreamEndCapture(stream, &graph_);
      if (graph_ != nullptr) cudaGraphDestroy(graph_);
      cudaGetLastError();  // of what cannot be captured; the GPU is well
      throw;
    }
    check_cuda(cudaStreamEndCapture(stream, &graph_), "ending a graph");
    check_cuda(cudaGraphInstantiate(&exec_, graph_, 0), "instantiating a graph");
  }
  ~Graph() {
    if (exec_ != nullptr) cudaGraphExecDestroy(exec_);
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(cudaStream_t stream) const { check_cuda(cudaGraphLaunch(exec_, stream), "launching a graph"); }

 private:
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t exec_ = nullptr;
};

}  // namespace

double time_single(int repeats, const Launch& launch) {
  const DeviceStream stream;
  return median_of(repeats, launch, stream.get());
}

double time_graph(int repeats, std::size_t launches, const Launch& launch) {
  const DeviceStream stream;
  const Graph graph(launches, launch, stream.get());
  const double seconds = median_of(
      repeats, [&](std::size_t, cudaStream_t queue) { graph.launch(queue); }, stream.get());
  return seconds / static_cast<double>(launches);
}

}  // namespace wcodec
