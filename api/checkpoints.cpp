// Whole checkpoints: the C interface of codec/checkpoint_codec.hpp.
#include "codec/checkpoint_codec.hpp"

#include "api/options.hpp"
#include "api/progress.hpp"
#include "api/stats.hpp"
#include "api/status.hpp"

using namespace wcodec;

namespace {

wcodec_stats public_stats(const CodecStats& stats) noexcept {
  wcodec_stats out{};
  out.source_bytes = stats.source_bytes;
  out.encoded_bytes = stats.container_bytes;
  out.weights = stats.weights;
  out.layers = stats.layers;
  out.seconds = stats.seconds;
  api::put_ledger(stats.ledger, out);
  out.tensor_bytes = stats.tensor_bytes;
  out.parts = stats.parts;
  out.files = stats.files;
  out.gpu_records = stats.gpu_records;
  out.cpu_records = stats.cpu_records;
  return out;
}

}  // namespace

wcodec_status wcodec_encode_checkpoint(const char* source, const char* destination, const wcodec_options* options,
                                       wcodec_progress progress, void* user, wcodec_stats* stats) {
  return api::guarded(
      [&] {
        api::require(source, "source");
        api::require(destination, "destination");
        api::check_struct(stats, "stats");
        EncodeOptions encode = api::encode_options(api::or_defaults(options));
        encode.progress = api::to_callback(progress, user);
        api::fill_struct(stats, public_stats(encode_checkpoint(source, destination, encode)));
      },
      source, destination);
}

wcodec_status wcodec_decode_checkpoint(const char* source, const char* destination, const wcodec_options* options,
                                       wcodec_progress progress, void* user, wcodec_stats* stats) {
  return api::guarded(
      [&] {
        api::require(source, "source");
        api::require(destination, "destination");
        api::check_struct(stats, "stats");
        const wcodec_options& chosen = api::or_defaults(options);
        DecodeOptions decode;
        decode.device = chosen.device;
        decode.threads = chosen.threads;
        decode.memory_bytes = chosen.memory_bytes;
        decode.max_output_bytes = chosen.max_output_bytes;
        decode.max_part_weights = chosen.max_part_weights;
        decode.overwrite = chosen.overwrite;
        decode.progress = api::to_callback(progress, user);
        api::fill_struct(stats, public_stats(decode_checkpoint(source, destination, decode)));
      },
      source, destination);
}

wcodec_status wcodec_verify_checkpoints(const char* a, const char* b, const wcodec_options* options,
                                        wcodec_progress progress, wcodec_compared compared, void* user, int* equal) {
  return api::guarded(
      [&] {
        api::require(a, "a");
        api::require(b, "b");
        api::require(equal, "equal");
        const wcodec_options& chosen = api::or_defaults(options);
        VerifyOptions verify;
        verify.atol = chosen.atol;
        verify.device = chosen.device;
        verify.threads = chosen.threads;
        verify.memory_bytes = chosen.memory_bytes;
        verify.progress = api::to_callback(progress, user);
        const VerifyReport report = verify_checkpoints(a, b, verify);
        for (const TensorComparison& tensor : report.tensors) {
          if (compared == nullptr) break;
          const std::string name = printable(tensor.name);
          const wcodec_comparison comparison{sizeof(wcodec_comparison), name.c_str(),
                                             tensor.problem.c_str(),    tensor.weights,
                                             tensor.different,          tensor.max_difference};
          compared(user, &comparison);
        }
        *equal = report.equal() ? 1 : 0;
      },
      a, b);
}
