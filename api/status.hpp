// Exceptions end here: every function of the C interface runs its body through `guarded`.
#pragma once

#include <exception>
#include <new>
#include <string>

#include <wcodec.h>

#include "core/error.hpp"

namespace wcodec::api {

// An error of the interface itself that the stages have no kind for.
struct BufferTooSmall {
  std::string message;
};

// Remembers the failure for this thread, without allocating, and returns its status.
wcodec_status fail(wcodec_status status, sv message) noexcept;
wcodec_status fail(const Error& error, const char* file, const char* other_file) noexcept;

// `file` and `other_file` are what the caller named, or null: an error that does not say its file is of the one that
// its message begins with.
template <class Body>
wcodec_status guarded(Body&& body, const char* file = nullptr, const char* other_file = nullptr) noexcept {
  try {
    body();
    return WCODEC_OK;
  } catch (const Error& error) {
    return fail(error, file, other_file);
  } catch (const BufferTooSmall& error) {
    return fail(WCODEC_BUFFER_TOO_SMALL, error.message);
  } catch (const std::bad_alloc&) {
    return fail(WCODEC_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(WCODEC_INTERNAL, error.what());
  } catch (...) {
    return fail(WCODEC_INTERNAL, "an exception of unknown type");
  }
}

// Throws Error{usage} naming an argument that must not be null.
inline void require(const void* argument, const char* name) {
  if (argument == nullptr) throw Error(ErrorKind::usage, std::string(name) + " is NULL");
}

// Fills as much of the caller's structure as it knows of. `what` is its name in messages.
template <class Struct>
void check_struct(const Struct* out, const char* what) {
  if (out != nullptr && out->struct_size < sizeof(size_t))
    throw Error(ErrorKind::usage, std::string(what) + ".struct_size is not set to sizeof");
}
template <class Struct>
void fill_struct(Struct* out, Struct values) noexcept {
  if (out == nullptr) return;
  values.struct_size = out->struct_size;
  __builtin_memcpy(out, &values, out->struct_size < sizeof values ? out->struct_size : sizeof values);
}

}  // namespace wcodec::api
