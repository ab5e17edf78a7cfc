// Whether a sanitizer reserves terabytes of address space for its shadow: a limit on address space cannot be set then.
// g++ says so by macros of its own, clang by __has_feature.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WCODEC_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WCODEC_SHADOW_MEMORY 1
#endif
#endif

namespace wcodec {

#if defined(WCODEC_SHADOW_MEMORY)
inline constexpr bool kShadowMemory = true;
#else
inline constexpr bool kShadowMemory = false;
#endif

}  // namespace wcodec

#undef WCODEC_SHADOW_MEMORY
