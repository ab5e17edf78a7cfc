// A C++ program that uses nothing but what `cmake --install` leaves.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>
#include <wcodec.hpp>

int main() {
  namespace api = wcodec::api;
  std::vector<std::uint8_t> weights(64 * 64 * 2);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<std::uint8_t>(i % 2 ? 0x3c : i * 7 % 31);
  const api::Encoder encoder(api::Options().set("tile", "square").set("modes", "none+left"));
  const api::EncodedLayer layer = encoder.encode_layer(WCODEC_BF16, 64, 64, weights);
  if (layer.record.size() >= weights.size()) return 1;
  const api::DecodedLayer back = api::Decoder().decode_layer(layer.record.span());
  if (back.elements.size() != weights.size() || std::memcmp(back.elements.data(), weights.data(), weights.size()) != 0)
    return 2;
  try {
    api::Decoder().decode_layer(layer.record.span().first(20));
    return 3;
  } catch (const api::Error& error) {
    if (std::string(error.kind()) != "corrupt" && std::string(error.kind()) != "truncated") return 4;
  }
  std::printf("C++, wcodec %s: %zu bytes in %zu\n", wcodec_version(), weights.size(), layer.record.size());
}
