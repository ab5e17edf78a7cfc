// wcodec._core: the classes of wcodec.hpp for Python. Arrays arrive as anything with a buffer and leave as bytes; what
// an array of bf16 is, python/wcodec/_arrays.py knows. The interpreter lock is released while the codec works.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include <wcodec.hpp>

#include "python/module/feedback.hpp"

namespace nb = nanobind;
namespace api = wcodec::api;

namespace {

using OptionMap = std::map<std::string, std::string>;
using ByteArray = nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>;

// The memory of a bytes-like object, held while this lives.
class Buffer {
 public:
  explicit Buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::span<std::uint8_t> bytes() const noexcept {
    return {static_cast<std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

api::Options to_options(const OptionMap& map) {
  api::Options options;
  for (const auto& [key, value] : map) options.set(key, value);
  return options;
}

wcodec_dtype to_dtype(const std::string& name) {
  wcodec_dtype dtype{};
  api::check(wcodec_dtype_parse(name.c_str(), &dtype));
  return dtype;
}

nb::dict to_dict(const wcodec_stats& stats) {
  nb::dict ledger, out;
  for (std::size_t i = 0; i < WCODEC_LEDGER_ENTRIES; ++i) ledger[wcodec_ledger_name(i)] = stats.ledger[i];
  out["source_bytes"] = stats.source_bytes;
  out["encoded_bytes"] = stats.encoded_bytes;
  out["weights"] = stats.weights;
  out["num_layers"] = stats.layers;
  out["seconds"] = stats.seconds;
  out["tensor_bytes"] = stats.tensor_bytes;
  out["num_parts"] = stats.parts;
  out["num_files"] = stats.files;
  out["ledger"] = ledger;
  out["gpu_records"] = stats.gpu_records;
  out["cpu_records"] = stats.cpu_records;
  return out;
}

// Names of files and layers may be any bytes.
nb::object text(std::string_view bytes) {
  return nb::steal<nb::object>(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
}

// wcodec.WcodecError(message, kind, file, layer, offset)
void raise(const api::Error& error) {
  const nb::object type = nb::module_::import_("wcodec._errors").attr("WcodecError");
  const nb::object offset = error.offset() < 0 ? nb::none() : nb::object(nb::int_(error.offset()));
  const nb::object raised = type(text(error.what()), error.kind(), text(error.file()), text(error.layer()), offset);
  PyErr_SetObject(type.ptr(), raised.ptr());
}

// A NumPy array that owns the memory.
ByteArray to_array(api::OwnedBytes bytes) {
  auto* data = bytes.data();
  const std::size_t size = bytes.size();
  const nb::capsule owner(bytes.release(), [](void* memory) noexcept { wcodec_free(memory); });
  return {data, {size}, owner};
}

class Encoder {
 public:
  explicit Encoder(const OptionMap& options) : encoder_(to_options(options)) {}

  nb::tuple encode(const std::string& dtype, std::uint64_t rows, std::uint64_t cols, nb::handle elements) const {
    const wcodec_dtype type = to_dtype(dtype);
    const Buffer buffer(elements);
    api::EncodedLayer layer;
    {
      const nb::gil_scoped_release unlocked;
      layer = encoder_.encode_layer(type, rows, cols, buffer.bytes());
    }
    return nb::make_tuple(nb::bytes(layer.record.data(), layer.record.size()), to_dict(layer.stats));
  }

 private:
  api::Encoder encoder_;
};

class Decoder {
 public:
  explicit Decoder(const OptionMap& options) : decoder_(to_options(options)) {}

  nb::tuple decode(nb::handle record) const {
    const Buffer buffer(record);
    api::DecodedLayer layer;
    {
      const nb::gil_scoped_release unlocked;
      layer = decoder_.decode_layer(buffer.bytes());
    }
    return nb::make_tuple(to_array(std::move(layer.elements)), to_dict(layer.stats));
  }

 private:
  api::Decoder decoder_;
};

nb::tuple encode_progressive(const std::string& dtype, std::uint64_t rows, std::uint64_t cols, nb::handle elements,
                             const OptionMap& map) {
  const wcodec_dtype type = to_dtype(dtype);
  const api::Options options = to_options(map);
  const Buffer buffer(elements);
  api::ProgressiveRecord coded;
  {
    const nb::gil_scoped_release unlocked;
    coded = api::encode_progressive(type, rows, cols, buffer.bytes(), options);
  }
  nb::list prefixes;
  for (const std::uint64_t bytes : coded.prefix_bytes) prefixes.append(bytes);
  return nb::make_tuple(nb::bytes(coded.record.data(), coded.record.size()), prefixes, to_dict(coded.stats));
}

nb::tuple decode_progressive(nb::handle prefix, int planes, const OptionMap& map) {
  const api::Options options = to_options(map);
  const Buffer buffer(prefix);
  api::ProgressiveLayer layer;
  {
    const nb::gil_scoped_release unlocked;
    layer = api::decode_progressive(buffer.bytes(), planes, options);
  }
  const wcodec_progressive_info& info = layer.info;
  const std::string dtype = wcodec_dtype_name(info.dtype);
  return nb::make_tuple(to_array(std::move(layer.elements)), dtype, info.rows, info.cols, info.planes, info.all_planes,
                        info.bound, info.value_bound);
}

// Looks for Ctrl-C, and asks the caller's function, if there is one, whether to go on.
api::Progress to_progress(const nb::object& function) {
  return [&function](std::uint64_t done, std::uint64_t total, std::string_view layer) {
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (function.is_none()) return true;
    const nb::object answer = function(done, total, text(layer));
    return answer.ptr() != Py_False;
  };
}

using CheckpointFunction = wcodec_stats (*)(const std::string&, const std::string&, const api::Options&,
                                            const api::Progress&);

template <CheckpointFunction function>
nb::dict on_checkpoint(const std::string& source, const std::string& destination, const OptionMap& options,
                       const nb::object& progress) {
  const api::Options chosen = to_options(options);
  const api::Progress relay = to_progress(progress);
  wcodec_stats stats{};
  {
    const nb::gil_scoped_release unlocked;
    stats = function(source, destination, chosen, relay);
  }
  return to_dict(stats);
}

nb::tuple verify_checkpoints(const std::string& a, const std::string& b, const OptionMap& options,
                             const nb::object& progress) {
  const api::Options chosen = to_options(options);
  const api::Progress relay = to_progress(progress);
  api::Verification found;
  {
    const nb::gil_scoped_release unlocked;
    found = api::verify_checkpoints(a, b, chosen, relay);
  }
  nb::list layers;
  for (const api::Comparison& layer : found.layers) {
    layers.append(
        nb::make_tuple(text(layer.layer), text(layer.problem), layer.weights, layer.different, layer.max_difference));
  }
  return nb::make_tuple(found.equal, layers);
}

nb::list decode_progressive_checkpoint(const std::string& source, const std::string& destination, int planes,
                                       const OptionMap& options, const nb::object& progress) {
  const api::Options chosen = to_options(options);
  const api::Progress relay = to_progress(progress);
  std::vector<api::LayerPlanes> found;
  {
    const nb::gil_scoped_release unlocked;
    found = api::decode_progressive_checkpoint(source, destination, planes, chosen, relay);
  }
  nb::list layers;
  for (const api::LayerPlanes& layer : found)
    layers.append(nb::make_tuple(text(layer.layer), layer.planes, layer.all_planes, layer.bound, layer.value_bound));
  return layers;
}

class Reader {
 public:
  Reader(const std::string& path, const OptionMap& options) : reader_(path, to_options(options)) {}

  // (name, dtype, shape, rows, cols, details) of each layer.
  nb::list layers() const {
    nb::list out;
    for (std::size_t i = 0; i < reader_.size(); ++i) {
      const wcodec_layer_info info = reader_.layer(i);
      nb::list shape;
      for (std::size_t d = 0; d < info.dimensions; ++d) shape.append(info.shape[d]);
      nb::dict details;
      details["source_type"] = info.source_type;
      details["stages"] = info.stages;
      details["source_bytes"] = info.source_bytes;
      details["encoded_bytes"] = info.encoded_bytes;
      details["rows_per_part"] = info.rows_per_part;
      out.append(nb::make_tuple(text({info.name, info.name_size}), wcodec_dtype_name(info.dtype), nb::tuple(shape),
                                info.rows, info.cols, details));
    }
    return out;
  }
  ByteArray read_rows(std::size_t index, std::uint64_t first, std::uint64_t count) const {
    const wcodec_layer_info info = reader_.layer(index);
    if (first > info.rows || count > info.rows - first) throw nb::index_error("rows out of range");
    const std::size_t size = count * info.cols * wcodec_dtype_size(info.dtype);
    api::OwnedBytes bytes(std::malloc(std::max<std::size_t>(size, 1)), size);
    if (bytes.data() == nullptr) throw std::bad_alloc();
    {
      const nb::gil_scoped_release unlocked;
      reader_.read_rows(index, first, count, bytes.span());
    }
    return to_array(std::move(bytes));
  }
  // To the memory of GPUs: `targets` are (layer, GPU, address, size).
  nb::dict load(const std::vector<std::tuple<std::size_t, int, std::uintptr_t, std::size_t>>& targets,
                const OptionMap& options, const nb::object& progress) const {
    std::vector<wcodec_gpu_target> places;
    for (const auto& [layer, gpu, address, size] : targets)
      places.push_back({layer, gpu, reinterpret_cast<void*>(address), size});
    const api::Options chosen = to_options(options);
    const api::Progress relay = to_progress(progress);
    wcodec_gpu_stats stats{};
    {
      const nb::gil_scoped_release unlocked;
      stats = reader_.load(places, chosen, relay);
    }
    nb::dict out;
    out["num_layers"] = stats.layers;
    out["record_bytes"] = stats.record_bytes;
    out["decoded_bytes"] = stats.decoded_bytes;
    out["gpu_records"] = stats.gpu_records;
    out["cpu_records"] = stats.cpu_records;
    out["seconds"] = stats.seconds;
    out["note"] = text(stats.note);
    return out;
  }
  std::vector<int> split(int gpus) const { return reader_.split(gpus); }
  nb::dict stats() const { return to_dict(reader_.stats()); }
  nb::object model_name() const { return text(reader_.model_name()); }
  nb::list metadata() const {
    nb::list out;
    for (const auto& [key, value] : reader_.metadata()) out.append(nb::make_tuple(text(key), text(value)));
    return out;
  }

 private:
  api::Reader reader_;
};

nb::tuple describe(nb::handle record) {
  const Buffer buffer(record);
  const wcodec_record_info info = api::describe(buffer.bytes());
  return nb::make_tuple(wcodec_dtype_name(info.dtype), info.rows, info.cols, info.tile_rows, info.tile_cols,
                        info.decoded_bytes);
}

// Types that NumPy does not know, such as bfloat16, cannot come through numpy.from_dlpack.
using AnyArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

nb::tuple from_dlpack(const AnyArray& array) {
  nb::list shape;
  for (std::size_t i = 0; i < array.ndim(); ++i) shape.append(array.shape(i));
  const std::size_t size = array.nbytes();
  const nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<1>> bytes(array.data(), {size}, nb::cast(array));
  const nb::dlpack::dtype type = array.dtype();
  return nb::make_tuple(bytes, nb::tuple(shape), type.code, type.bits * type.lanes);
}

// (usable GPUs and others as dictionaries, why there is none).
nb::tuple devices() {
  nb::list gpus;
  const int count = api::gpu_count();
  for (int i = 0; i < count; ++i) {
    const wcodec_gpu_info info = api::describe_gpu(i);
    nb::dict gpu;
    gpu["device"] = "cuda:" + std::to_string(i);
    gpu["name"] = text(info.name);
    gpu["memory_bytes"] = info.memory_bytes;
    gpu["compute_capability"] = nb::make_tuple(info.compute_major, info.compute_minor);
    gpu["multiprocessors"] = info.multiprocessors;
    gpu["usable"] = info.usable != 0;
    gpu["reason"] = text(info.reason);
    gpus.append(gpu);
  }
  return nb::make_tuple(gpus, text(api::gpu_reason()));
}

nb::dict option_help() {
  nb::dict options;
  for (std::size_t i = 0; wcodec_option_key(i) != nullptr; ++i) options[wcodec_option_key(i)] = wcodec_option_help(i);
  return options;
}

}  // namespace

NB_MODULE(_core, module) {
  module.doc() = "The compiled part of the package wcodec; use that instead.";
  module.attr("__version__") = wcodec_version();
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const api::Error& error) {
      raise(error);
    }
  });
  nb::class_<Encoder>(module, "Encoder", "Layers to records, with options as text; safe to share between threads.")
      .def(nb::init<const OptionMap&>(), nb::arg("options"))
      .def("encode", &Encoder::encode, nb::arg("dtype"), nb::arg("rows"), nb::arg("cols"), nb::arg("elements"),
           "Row-major elements as a bytes-like object to (record, stats).");
  module.def("encode_progressive", &encode_progressive, nb::arg("dtype"), nb::arg("rows"), nb::arg("cols"),
             nb::arg("elements"), nb::arg("options"), "The record, what its first planes take, and stats.");
  module.def("decode_progressive", &decode_progressive, nb::arg("prefix"), nb::arg("planes"), nb::arg("options"),
             "The elements' bytes, dtype, rows, cols, planes used, planes in all, bound in steps and in value.");
  module.def("encode_progressive_checkpoint", &on_checkpoint<&api::encode_progressive_checkpoint>, nb::arg("source"),
             nb::arg("destination"), nb::arg("options"), nb::arg("progress").none(),
             "progress(done, total, layer) may be None; False asks to stop. Returns stats.");
  module.def("decode_progressive_checkpoint", &decode_progressive_checkpoint, nb::arg("source"), nb::arg("destination"),
             nb::arg("planes"), nb::arg("options"), nb::arg("progress").none(),
             "[(layer, planes used, planes in all, bound in steps, bound in value)].");
  nb::class_<Decoder>(module, "Decoder", "Records to layers; safe to share between threads.")
      .def(nb::init<const OptionMap&>(), nb::arg("options"))
      .def("decode", &Decoder::decode, nb::arg("record"), "The elements' bytes as an array, and stats.");
  nb::class_<Reader>(module, "Reader", "An open container; safe to share between threads.")
      .def(nb::init<const std::string&, const OptionMap&>(), nb::arg("path"), nb::arg("options"))
      .def("layers", &Reader::layers, "(name, dtype, shape, rows, cols, details) of each layer.")
      .def("read_rows", &Reader::read_rows, nb::arg("index"), nb::arg("first"), nb::arg("count"),
           "The bytes of some rows as an array.")
      .def("load", &Reader::load, nb::arg("targets"), nb::arg("options"), nb::arg("progress").none(),
           "Layers to GPU memory, [(layer, gpu, address, size)]. Returns stats.")
      .def("split", &Reader::split, nb::arg("gpus"), "The GPU of each layer, where they share by ranges.")
      .def("stats", &Reader::stats, "Accounts of the whole container.")
      .def("model_name", &Reader::model_name, "As it was given to the encoder.")
      .def("metadata", &Reader::metadata, "(key, value) of the source files' metadata, file by file.");
  constexpr const char* kCheckpoint = "progress(done, total, layer) may be None; False asks to stop. Returns stats.";
  module.def("encode_checkpoint", &on_checkpoint<&api::encode_checkpoint>, nb::arg("source"), nb::arg("destination"),
             nb::arg("options"), nb::arg("progress").none(), kCheckpoint);
  module.def("decode_checkpoint", &on_checkpoint<&api::decode_checkpoint>, nb::arg("source"), nb::arg("destination"),
             nb::arg("options"), nb::arg("progress").none(), kCheckpoint);
  module.def("verify_checkpoints", &verify_checkpoints, nb::arg("a"), nb::arg("b"), nb::arg("options"),
             nb::arg("progress").none(), "(equal, [(layer, problem, weights, different, max_difference)]).");
  module.def(
      "is_container", [](const std::string& path) { return wcodec_is_container(path.c_str()) != 0; }, nb::arg("path"),
      "Whether a file begins like a container.");
  module.def("describe", &describe, nb::arg("record"),
             "(dtype, rows, cols, tile_rows, tile_cols, decoded_bytes) as the record's beginning says.");
  module.def("from_dlpack", &from_dlpack, nb::arg("array"),
             "(bytes without a copy, shape, DLPack type code, bits) of a contiguous array in main memory.");
  module.def("devices", &devices, "(GPUs, why there is none).");
  bind_feedback(module);
  module.def("option_help", &option_help, "Keys that options may have, and what they mean.");
}
