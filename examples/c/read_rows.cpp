// Some rows of a layer of a container, in C++.
//
//   c++ -std=c++20 read_rows.cpp $(pkg-config --cflags --libs wcodec) -o read_rows
//   ./read_rows model.wcodec model.embed_tokens.weight 10 4
#include <cstdio>
#include <cstdlib>
#include <vector>
#include <wcodec.hpp>

int main(int count, char** words) {
  if (count != 5) {
    std::fprintf(stderr, "usage: %s FILE LAYER FIRST COUNT\n", words[0]);
    return 2;
  }
  try {
    const wcodec::api::Reader reader(words[1]);
    const std::size_t index = reader.find(words[2]);
    const wcodec_layer_info layer = reader.layer(index);
    const auto first = std::strtoull(words[3], nullptr, 10), rows = std::strtoull(words[4], nullptr, 10);
    if (rows > layer.rows) {
      std::fprintf(stderr, "%s has %llu rows\n", words[2], static_cast<unsigned long long>(layer.rows));
      return 2;
    }
    std::vector<std::uint8_t> elements(rows * layer.cols * wcodec_dtype_size(layer.dtype));
    reader.read_rows(index, first, rows, elements);
    std::printf("%s: rows %llu to %llu of %llu, %s, %zu bytes\n", words[2], first, first + rows,
                static_cast<unsigned long long>(layer.rows), wcodec_dtype_name(layer.dtype), elements.size());
  } catch (const wcodec::api::Error& error) {
    std::fprintf(stderr, "%s (%s; file '%s', layer '%s')\n", error.what(), error.kind(), error.file().c_str(),
                 error.layer().c_str());
    return 1;
  }
}
