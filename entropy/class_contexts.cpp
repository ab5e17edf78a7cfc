#include "entropy/class_contexts.hpp"

#include <algorithm>
#include <numeric>

#include "entropy/clustering.hpp"
#include "entropy/magnitude.hpp"
#include "entropy/scale_contexts.hpp"
#include "entropy/side_stream.hpp"

namespace wcodec {
namespace {

constexpr int kContextBits = 6;
// What a class's entry in the map costs, about, in bits, and what stands before them.
constexpr double kMapBits = 4, kMapHeaderBits = 16;

// Mean magnitude of each class, 0 of those that do not occur.
std::vector<double> mean_magnitudes(std::span<const u32> histograms, int bits) {
  const std::size_t alphabet = std::size_t{1} << bits;
  std::vector<double> means;
  for (std::size_t begin = 0; begin < histograms.size(); begin += alphabet) {
    u64 sum = 0, count = 0;
    for (std::size_t s = 0; s < alphabet; ++s) {
      const u64 here = histograms[begin + s];
      sum += here * static_cast<u64>(magnitude(static_cast<u8>(s), bits));
      count += here;
    }
    means.push_back(count == 0 ? 0.0 : static_cast<double>(sum) / static_cast<double>(count));
  }
  return means;
}

}  // namespace

ClassContexts choose_class_contexts(std::span<const u32> histograms, int bits, int limit) {
  ClassContexts out;
  const std::size_t alphabet = std::size_t{1} << bits;
  const std::size_t classes = histograms.size() / alphabet;
  if (limit < 2 || classes < 2) return out;
  const std::vector<double> means = mean_magnitudes(histograms, bits);
  std::vector<std::size_t> order(classes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return means[a] < means[b]; });
  std::vector<u32> sorted;
  sorted.reserve(histograms.size());
  for (const std::size_t k : order) {
    const auto row = histograms.subspan(k * alphabet, alphabet);
    sorted.insert(sorted.end(), row.begin(), row.end());
  }
  const std::vector<u8> cluster_of =
      cluster_histograms(sorted, alphabet, limit, kMapHeaderBits + kMapBits * static_cast<double>(classes));
  if (cluster_of.back() == 0) return out;
  out.count = cluster_of.back() + 1;
  out.context_of.resize(classes);
  for (std::size_t k = 0; k < classes; ++k) out.context_of[order[k]] = cluster_of[k];
  return out;
}

void write_class_contexts(const ClassContexts& contexts, LedgerWriter& out) {
  out.write(LedgerEntry::context, static_cast<u8>(contexts.count));
  if (contexts.count > 1) write_side_stream(contexts.context_of, kContextBits, LedgerEntry::context, out);
}

ClassContexts read_class_contexts(int classes, ByteReader& in) {
  const auto corrupt = [](const char* why) { return Error(ErrorKind::corrupt, std::string("class contexts: ") + why); };
  ClassContexts out;
  out.count = in.read<u8>("class contexts");
  if (out.count < 1 || out.count > kMaxContexts) throw corrupt("their number is out of range");
  if (out.count == 1) return out;
  out.context_of = read_side_stream(in, static_cast<u64>(classes), kContextBits, out.count, "class contexts");
  std::vector<bool> occurs(static_cast<std::size_t>(out.count));
  for (const u8 context : out.context_of) occurs[context] = true;
  if (std::find(occurs.begin(), occurs.end(), false) != occurs.end()) throw corrupt("one of them has no class");
  return out;
}

}  // namespace wcodec
