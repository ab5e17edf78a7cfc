#include "bench/llama_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace wcodec {
namespace {

struct Matrix {
  std::string name;
  u64 rows, cols;
};

std::vector<Matrix> llama(int layers) {
  std::vector<Matrix> out = {{"model.embed_tokens.weight", 32000, 4096}};
  for (int i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    for (const char* name : {"q", "k", "v", "o"})
      out.push_back({fmt::format("{}self_attn.{}_proj.weight", layer, name), 4096, 4096});
    for (const char* name : {"gate", "up"})
      out.push_back({fmt::format("{}mlp.{}_proj.weight", layer, name), 11008, 4096});
    out.push_back({layer + "mlp.down_proj.weight", 4096, 11008});
  }
  out.push_back({"lm_head.weight", 32000, 4096});
  return out;
}

// 2^24 values.
std::vector<char> noise(unsigned threads) {
  std::vector<char> out(u64{1} << 24);
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      Philox random(t, 7);
      const u64 first = out.size() * t / threads, last = out.size() * (t + 1) / threads;
      for (u64 i = first; i < last; ++i)
        out[i] = static_cast<char>(std::clamp(std::lround(37.1 * random.normal()), -127L, 127L));
    });
  }
  for (std::thread& worker : workers) worker.join();
  return out;
}

}  // namespace

void write_llama_int8(const std::string& path, int layers, unsigned threads) {
  const std::vector<Matrix> model = llama(layers);
  std::string header = "{";
  u64 at = 0;
  for (const Matrix& matrix : model) {
    header += fmt::format(R"({}"{}":{{"dtype":"I8","shape":[{},{}],"data_offsets":[{},{}]}})", at == 0 ? "" : ",",
                          matrix.name, matrix.rows, matrix.cols, at, at + matrix.rows * matrix.cols);
    at += matrix.rows * matrix.cols;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::vector<char> values = noise(threads);
  std::ofstream file(path, std::ios::binary);
  const u64 size = header.size();
  file.write(reinterpret_cast<const char*>(&size), 8);
  file << header;
  u64 from = 0;
  for (const Matrix& matrix : model) {
    for (u64 left = matrix.rows * matrix.cols; left != 0;) {
      const u64 count = std::min<u64>(left, values.size() - from);
      file.write(values.data() + from, static_cast<std::streamsize>(count));
      left -= count;
      from = (from + count) % values.size();
    }
    from = (from + 4099 * 64) % values.size();
  }
  if (!file.flush()) throw Error(ErrorKind::io, path + " cannot be written");
}

}  // namespace wcodec
