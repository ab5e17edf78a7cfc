// `hf://org/name[@revision]`: a model of the Hugging Face hub, from its local cache or, where allowed, downloaded.
#pragma once

#include <optional>
#include <string>

#include "core/types.hpp"

namespace wcodec {

struct HfAddress {
  std::string repository;         // "org/name" or "name"
  std::string revision = "main";  // branch, tag or commit
};

// `rest` is what follows "hf://". Throws Error{usage}.
HfAddress parse_hf(sv rest);

// ${HF_HUB_CACHE}, else ${HF_HOME}/hub, else ${XDG_CACHE_HOME}/huggingface/hub, else ~/.cache/huggingface/hub.
std::string hf_cache_directory();

// The snapshot directory of the cache, if there is one.
std::optional<std::string> find_hf_snapshot(const HfAddress& address);

// Downloads the .safetensors files through the Python package huggingface_hub and returns the snapshot directory.
// Throws Error{not_found} with what to do when HF_HUB_OFFLINE forbids it, the package is absent, or the hub refuses.
std::string download_hf_snapshot(const HfAddress& address);

}  // namespace wcodec
