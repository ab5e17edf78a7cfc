/* wcodec: lossless compression of neural-network weights. The C interface of libwcodec.so.
 *
 * Shapes. A layer is a matrix of rows × cols elements, row-major, little-endian, without gaps. A tensor of other rank
 * is seen as a matrix: rows is the product of all dimensions but the last. Either may be 0. Sizes are bytes unless a
 * name says otherwise; `rows`, `cols` and `weights` count elements.
 *
 * Errors. Functions that can fail return a wcodec_status. On anything but WCODEC_OK the calling thread's
 * wcodec_last_error() says what, and where. No output is touched then, except where a function says so: never half a
 * layer, never half a file. Nothing is thrown, and out of memory is a status like any other.
 *
 * Ownership. Handles are the caller's, each to be given to its own …_destroy or …_close, which take NULL. Strings and
 * structures that are handed out belong to the library and live as long as the handle, or as said. Memory handed out by
 * a function with `alloc` in its name goes to wcodec_free. Nothing keeps a pointer to an argument after it returns.
 *
 * Threads. Every function may be called from any thread. A handle whose parameter is `const` may be used by many
 * threads at once; any other handle by one at a time. Errors are kept for each thread apart.
 *
 * Stability. Symbols are versioned; what is here keeps its meaning while the library's major version stays, and new
 * members are added at the ends of structures only, whose `struct_size` the caller sets to sizeof. The formats that are
 * written are those of docs/format.md and have versions of their own. */
#ifndef WCODEC_H
#define WCODEC_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#error "wcodec knows ELF platforms only"
#endif
#define WCODEC_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

#define WCODEC_VERSION_MAJOR 0
#define WCODEC_VERSION_MINOR 1
#define WCODEC_VERSION_PATCH 0

/* Of the library that is loaded, "0.1.0". */
WCODEC_API const char* wcodec_version(void);

/* ---- Errors ---------------------------------------------------------------------------------------------------- */

typedef enum wcodec_status {
  WCODEC_OK = 0,
  WCODEC_USAGE = 1,                 /* wrong arguments, or an unknown name */
  WCODEC_CONFIG = 2,                /* an experiment file says something that cannot be done */
  WCODEC_NOT_FOUND = 3,             /* a file, layer or package is absent */
  WCODEC_IO = 4,                    /* the operating system refused or failed */
  WCODEC_TRUNCATED = 5,             /* the input ends before it should */
  WCODEC_CORRUPT = 6,               /* the input contradicts itself or its checksum */
  WCODEC_UNSUPPORTED = 7,           /* well-formed, but nothing that this build can do */
  WCODEC_LIMIT = 8,                 /* a bound set by the options would be exceeded */
  WCODEC_INTERNAL = 9,              /* a promise of the library's own was broken: please report it */
  WCODEC_CANCELLED = 10,            /* the progress callback asked to stop */
  WCODEC_OUT_OF_MEMORY = 11,        /* an allocation failed */
  WCODEC_BUFFER_TOO_SMALL = 12,     /* the caller's buffer does not hold the answer, whose size is reported */
  WCODEC_STATUS_IS_INT = 0x7fffffff /* not a status: gives the type the range of an int */
} wcodec_status;

typedef struct wcodec_error {
  wcodec_status status;
  const char* message; /* one sentence: file, what, where */
  const char* file;    /* as it was named by the caller; "" when no file is concerned */
  const char* layer;   /* "" when no single layer is concerned; control characters as \xNN */
  int64_t offset;      /* byte in the file or record; -1 when unknown */
} wcodec_error;

/* The last failure on this thread (status WCODEC_OK before the first). Never null; valid until the thread's next call
 * that fails, or the thread's end. Long texts are cut. */
WCODEC_API const wcodec_error* wcodec_last_error(void);
/* "corrupt", "not found", …; "unknown status" for a number that is none. */
WCODEC_API const char* wcodec_status_name(wcodec_status status);

/* ---- Element types --------------------------------------------------------------------------------------------- */

/* Numbers are used in files. Types of 4 to 6 bits take a byte an element in memory: unsigned ones 0 … 2^b - 1, signed
 * ones sign-extended. */
typedef enum wcodec_dtype {
  WCODEC_BOOL = 0,
  WCODEC_U8 = 1,
  WCODEC_I8 = 2,
  WCODEC_U16 = 3,
  WCODEC_I16 = 4,
  WCODEC_U32 = 5,
  WCODEC_I32 = 6,
  WCODEC_U64 = 7,
  WCODEC_I64 = 8,
  WCODEC_F8_E4M3 = 9,
  WCODEC_F8_E5M2 = 10,
  WCODEC_F16 = 11,
  WCODEC_BF16 = 12,
  WCODEC_F32 = 13,
  WCODEC_F64 = 14,
  WCODEC_U4 = 15,
  WCODEC_I4 = 16,
  WCODEC_U5 = 17,
  WCODEC_I5 = 18,
  WCODEC_U6 = 19,
  WCODEC_I6 = 20,
  WCODEC_F8_E8M0 = 21,
  WCODEC_C64 = 22,
  WCODEC_DTYPE_IS_INT = 0x7fffffff /* not a type: gives wcodec_dtype the range of an int */
} wcodec_dtype;

/* Bytes an element takes in memory; 0 for a number that is no type. */
WCODEC_API size_t wcodec_dtype_size(wcodec_dtype dtype);
/* The spelling of safetensors, "BF16"; NULL for a number that is no type. */
WCODEC_API const char* wcodec_dtype_name(wcodec_dtype dtype);
WCODEC_API wcodec_status wcodec_dtype_parse(const char* name, wcodec_dtype* dtype);

/* ---- Options --------------------------------------------------------------------------------------------------- */

/* What may be chosen, as text: keys are those of wcodec_option_key. NULL for options anywhere means all defaults. */
typedef struct wcodec_options wcodec_options;

WCODEC_API wcodec_status wcodec_options_create(wcodec_options** options);
WCODEC_API void wcodec_options_destroy(wcodec_options* options);
/* Checked at once: WCODEC_USAGE names the nearest key, or what a value may be. */
WCODEC_API wcodec_status wcodec_options_set(wcodec_options* options, const char* key, const char* value);
/* Keys and what they mean, for index 0, 1, …; NULL behind the last. */
WCODEC_API const char* wcodec_option_key(size_t index);
WCODEC_API const char* wcodec_option_help(size_t index);

/* ---- Accounts -------------------------------------------------------------------------------------------------- */

#define WCODEC_LEDGER_ENTRIES 12

typedef struct wcodec_stats {
  size_t struct_size;    /* set by the caller */
  uint64_t source_bytes; /* of the layer's elements, those of 4 to 6 bits at that width; of all files of a checkpoint */
  uint64_t encoded_bytes; /* of the record or the container: the sum of the ledger */
  uint64_t weights;       /* elements */
  uint64_t layers;        /* 1 for a layer */
  double seconds;
  uint64_t ledger[WCODEC_LEDGER_ENTRIES]; /* where encoded_bytes went; all 0 after decoding a layer */
  uint64_t tensor_bytes;                  /* of source_bytes, those that belong to tensors */
  uint64_t parts, files;                  /* of a checkpoint: records in the container, files of the source */
  uint64_t gpu_records, cpu_records;      /* of decoding a checkpoint: who decoded them */
} wcodec_stats;

/* "payload_bytes", "table_bytes", …; NULL from WCODEC_LEDGER_ENTRIES on. */
WCODEC_API const char* wcodec_ledger_name(size_t entry);

/* ---- One layer to bytes and back ------------------------------------------------------------------------------- */

/* Uses the options preset, tile, modes, transform, coder, max_weights. */
typedef struct wcodec_encoder wcodec_encoder;

WCODEC_API wcodec_status wcodec_encoder_create(const wcodec_options* options, wcodec_encoder** encoder);
WCODEC_API void wcodec_encoder_destroy(wcodec_encoder* encoder);

/* The most bytes that the record of such a layer can take. */
WCODEC_API wcodec_status wcodec_encode_bound(const wcodec_encoder* encoder, wcodec_dtype dtype, uint64_t rows,
                                             uint64_t cols, size_t* bound);

/* Writes the record of a layer to `record`. `size` must be rows · cols · wcodec_dtype_size(dtype). With
 * WCODEC_BUFFER_TOO_SMALL `*record_size` is what it takes, and nothing has been written; a capacity of
 * wcodec_encode_bound always suffices. `stats` may be NULL. */
WCODEC_API wcodec_status wcodec_encode_layer(const wcodec_encoder* encoder, wcodec_dtype dtype, uint64_t rows,
                                             uint64_t cols, const void* elements, size_t size, void* record,
                                             size_t capacity, size_t* record_size, wcodec_stats* stats);
/* The same into memory of the library's: `*record` goes to wcodec_free. */
WCODEC_API wcodec_status wcodec_encode_layer_alloc(const wcodec_encoder* encoder, wcodec_dtype dtype, uint64_t rows,
                                                   uint64_t cols, const void* elements, size_t size, void** record,
                                                   size_t* record_size, wcodec_stats* stats);
WCODEC_API void wcodec_free(void* memory);

typedef struct wcodec_record_info {
  size_t struct_size; /* set by the caller */
  /* A record keeps the format of its words: BOOL and F8_E8M0 come back as U8, C64 as U64. */
  wcodec_dtype dtype;
  uint64_t rows, cols;
  uint32_t tile_rows, tile_cols;
  uint64_t decoded_bytes; /* rows · cols · wcodec_dtype_size(dtype) */
} wcodec_record_info;

/* What the beginning of a record says, not yet held against its checksum: enough to provide a buffer. */
WCODEC_API wcodec_status wcodec_describe_record(const void* record, size_t record_size, wcodec_record_info* info);

/* Uses the options max_weights, device. With a device other than cpu the GPU decodes, and the elements come back to
 * main memory; what it has no decoder or no memory for the CPU decodes, to the same bytes. Without max_weights the
 * library allocates for 2^26 elements, and for more only where the record has a byte for each 4096 of them (a constant
 * layer takes no bytes at all): set it where larger constant layers are expected, or decode into memory of your own. */
typedef struct wcodec_decoder wcodec_decoder;

WCODEC_API wcodec_status wcodec_decoder_create(const wcodec_options* options, wcodec_decoder** decoder);
WCODEC_API void wcodec_decoder_destroy(wcodec_decoder* decoder);

/* Decodes a record into `elements`. `size` must be exactly decoded_bytes, otherwise WCODEC_BUFFER_TOO_SMALL (or
 * WCODEC_USAGE, if it is larger). `info` and `stats` may be NULL. A record may come from anywhere; one that fails after
 * its checksum has matched may leave some elements written. */
WCODEC_API wcodec_status wcodec_decode_layer(const wcodec_decoder* decoder, const void* record, size_t record_size,
                                             void* elements, size_t size, wcodec_record_info* info,
                                             wcodec_stats* stats);

/* The same into memory of the library's: `*elements` goes to wcodec_free, `*size` is decoded_bytes. */
WCODEC_API wcodec_status wcodec_decode_layer_alloc(const wcodec_decoder* decoder, const void* record,
                                                   size_t record_size, void** elements, size_t* size,
                                                   wcodec_record_info* info, wcodec_stats* stats);

/* ---- One layer by bit planes ----------------------------------------------------------------------------------- */

/* Any beginning of a progressive record that holds whole planes decodes, with a bound on what each element is off; all
 * of it decodes exactly. Elements have at most 32 bits; the options order and transform are for integers of at most 8.
 * The first planes of a float are its sign and exponent, each one behind them halves its relative error. */
#define WCODEC_MAX_PLANES 32

typedef struct wcodec_progressive_info {
  size_t struct_size; /* set by the caller */
  wcodec_dtype dtype;
  uint64_t rows, cols;
  uint32_t planes;        /* that were used */
  uint32_t all_planes;    /* that the whole record has */
  uint32_t bound;         /* no element is off by more: units of an integer, steps from float to float; 0 with all */
  uint64_t decoded_bytes; /* rows · cols · wcodec_dtype_size(dtype) */
  double value_bound;     /* the same in value, of elements that are finite numbers */
} wcodec_progressive_info;

/* `*record` goes to wcodec_free. prefix_bytes[k] is how many bytes the first k planes take, k = 0 … all planes; it and
 * `stats` may be NULL. Uses the options order, transform, max_weights. */
WCODEC_API wcodec_status wcodec_encode_progressive_alloc(const wcodec_options* options, wcodec_dtype dtype,
                                                         uint64_t rows, uint64_t cols, const void* elements,
                                                         size_t size, void** record, size_t* record_size,
                                                         uint64_t prefix_bytes[WCODEC_MAX_PLANES + 1],
                                                         wcodec_stats* stats);
/* From the first `planes` planes, or from all that are whole in the prefix (-1). `*elements` goes to wcodec_free;
 * `info` may be NULL. Uses the option max_weights. */
WCODEC_API wcodec_status wcodec_decode_progressive_alloc(const wcodec_options* options, const void* prefix,
                                                         size_t prefix_size, int planes, void** elements, size_t* size,
                                                         wcodec_progressive_info* info);

/* ---- Checkpoints ----------------------------------------------------------------------------------------------- */

/* Called on the thread that called the library, never at the same time as itself: bytes of the source that are done, of
 * how many, and the layer that they end in (control characters as \xNN; valid during the call). Anything but 0 asks to
 * stop, and the function returns WCODEC_CANCELLED. It may not throw. */
typedef int (*wcodec_progress)(void* user, uint64_t bytes_done, uint64_t bytes_total, const char* layer);

/* Writes the checkpoint at `source` (a safetensors or GGUF file, an index of shards, a directory, pip:PACKAGE/PATH,
 * hf://ORG/NAME) to the container `destination`, which appears when it is complete and not before. Uses the options
 * preset, tile, modes, transform, coder, view, model_name, part_weights, threads, memory, verify, overwrite. `options`,
 * `progress` and `stats` may be NULL. */
WCODEC_API wcodec_status wcodec_encode_checkpoint(const char* source, const char* destination,
                                                  const wcodec_options* options, wcodec_progress progress, void* user,
                                                  wcodec_stats* stats);
/* Writes what was encoded, byte for byte: one file to `destination`, or several into the new directory `destination`.
 * Uses the options device, threads, memory, overwrite, max_output_bytes, max_part_weights. */
WCODEC_API wcodec_status wcodec_decode_checkpoint(const char* source, const char* destination,
                                                  const wcodec_options* options, wcodec_progress progress, void* user,
                                                  wcodec_stats* stats);

typedef struct wcodec_comparison {
  size_t struct_size;          /* set by the library */
  const char* layer;           /* control characters as \xNN */
  const char* problem;         /* "only in A", "shape 2x3 against 3x2"; "" where values were compared */
  uint64_t weights, different; /* elements, and those that differ by more than atol, or at all where that is 0 */
  double max_difference;       /* infinity where a number stands against a NaN */
} wcodec_comparison;

/* Called for each tensor of `a`, then for those that only `b` has, once all have been compared. */
typedef void (*wcodec_compared)(void* user, const wcodec_comparison* comparison);

/* Compares two checkpoints tensor by tensor; either may be a container. That they differ is no failure: `*equal` is 1
 * or 0. Uses the options atol, device, threads, memory. `options`, `progress` and `compared` may be NULL; `user` goes
 * to both.
 */
WCODEC_API wcodec_status wcodec_verify_checkpoints(const char* a, const char* b, const wcodec_options* options,
                                                   wcodec_progress progress, wcodec_compared compared, void* user,
                                                   int* equal);

/* ---- Checkpoints by bit planes --------------------------------------------------------------------------------- */

/* Writes the checkpoint at `source` to a progressive file, of which any beginning decodes that holds the heads of all
 * layers. Layers of two or more dimensions with elements of at most 32 bits have planes, all others are exact. Uses the
 * options order, transform, preset (of exact layers), view, overwrite; `options`, `progress` and `stats` may be NULL.
 * Of `stats` parts, files, gpu_records and cpu_records are 0. */
WCODEC_API wcodec_status wcodec_encode_progressive_checkpoint(const char* source, const char* destination,
                                                              const wcodec_options* options, wcodec_progress progress,
                                                              void* user, wcodec_stats* stats);

typedef struct wcodec_progressive_layer {
  size_t struct_size;          /* set by the library */
  const char* layer;           /* control characters as \xNN */
  uint32_t planes, all_planes; /* that were used, that there are; 0 and 0 of an exact layer */
  uint32_t bound;              /* as in wcodec_progressive_info */
  double value_bound;
} wcodec_progressive_layer;

/* Called for each layer, once all have been written. */
typedef void (*wcodec_progressive_decoded)(void* user, const wcodec_progressive_layer* layer);

/* Writes the layers of a progressive file, or of the beginning of one, to the safetensors file `destination`: from at
 * most `planes` planes each, or from all that are there (-1). Elements of 4 to 6 bits become bytes. Uses the options
 * overwrite, max_output_bytes; `options`, `progress` and `decoded` may be NULL, `user` goes to both. */
WCODEC_API wcodec_status wcodec_decode_progressive_checkpoint(const char* source, const char* destination, int planes,
                                                              const wcodec_options* options, wcodec_progress progress,
                                                              wcodec_progressive_decoded decoded, void* user);

/* ---- Reading single layers of a container ---------------------------------------------------------------------- */

/* 1 when the file at `path` begins like a container, 0 otherwise and when it cannot be read. */
WCODEC_API int wcodec_is_container(const char* path);

/* Holds the file open. Uses the options device (of what reads to main memory), max_part_weights, max_tensor_bytes. */
typedef struct wcodec_reader wcodec_reader;

WCODEC_API wcodec_status wcodec_reader_open(const char* path, const wcodec_options* options, wcodec_reader** reader);
WCODEC_API void wcodec_reader_close(wcodec_reader* reader);

/* Layers are the tensors that the source files have, in their order; a quantized tensor of a GGUF file is there as its
 * planes. */
WCODEC_API size_t wcodec_reader_layer_count(const wcodec_reader* reader);

typedef struct wcodec_layer_info {
  size_t struct_size; /* set by the caller */
  const char* name;   /* as in the file, and ended by a NUL, which it may hold as well */
  size_t name_size;
  wcodec_dtype dtype;
  uint64_t rows, cols;
  const int64_t* shape; /* `dimensions` numbers */
  size_t dimensions;
  uint64_t decoded_bytes; /* rows · cols · wcodec_dtype_size(dtype) */
  uint64_t rows_per_part; /* rows that are decoded together: reading such pieces in order decodes nothing twice */
  /* Of the source file's tensor that the layer belongs to; planes of one tensor say the same. */
  size_t source_tensor;
  const char* source_type; /* "BF16", "Q4_K" */
  const char* stages;      /* "16x16 none rans:...", for people */
  uint64_t source_bytes, encoded_bytes;
} wcodec_layer_info;

WCODEC_API wcodec_status wcodec_reader_layer(const wcodec_reader* reader, size_t index, wcodec_layer_info* info);
/* WCODEC_NOT_FOUND where there is none of this name. */
WCODEC_API wcodec_status wcodec_reader_find(const wcodec_reader* reader, const char* name, size_t name_size,
                                            size_t* index);
/* Decodes rows [first, first + count) of a layer into `elements`, of exactly count · cols · wcodec_dtype_size bytes.
 * Only the parts that hold those rows are read and checked. */
WCODEC_API wcodec_status wcodec_reader_read_rows(const wcodec_reader* reader, size_t index, uint64_t first,
                                                 uint64_t count, void* elements, size_t size);
/* Accounts of the whole container. */
WCODEC_API wcodec_status wcodec_reader_stats(const wcodec_reader* reader, wcodec_stats* stats);
WCODEC_API const char* wcodec_reader_model_name(const wcodec_reader* reader);

/* Called with each key and value of the source files' `__metadata__`, file by file. */
typedef void (*wcodec_metadata)(void* user, const char* key, size_t key_size, const char* value, size_t value_size);
WCODEC_API wcodec_status wcodec_reader_metadata(const wcodec_reader* reader, wcodec_metadata each, void* user);

/* ---- GPUs ------------------------------------------------------------------------------------------------------ */

/* The library loads and works where there is neither a GPU nor a driver: there are 0 then, and wcodec_gpu_reason()
 * says why. Numbers are those of CUDA, from 0, of the GPUs that this process may see. Memory is of cudaMalloc and its
 * kin, streams are cudaStream_t as void* (NULL for the default stream); both belong to the GPU that is current on the
 * calling thread, unless a function takes the number of one. */
WCODEC_API int wcodec_gpu_count(void);
/* A sentence; "" where there is a GPU. Valid until the thread's next call of it. */
WCODEC_API const char* wcodec_gpu_reason(void);

typedef struct wcodec_gpu_info {
  size_t struct_size; /* set by the caller */
  char name[256];
  uint64_t memory_bytes;
  int compute_major, compute_minor, multiprocessors;
  int usable;       /* 1 where the kernels of this build run on it */
  char reason[256]; /* why they do not; "" where they do */
} wcodec_gpu_info;

WCODEC_API wcodec_status wcodec_gpu_describe(int gpu, wcodec_gpu_info* info);

/* A record made ready for a GPU, by the CPU alone, in five steps:
 *   1. wcodec_gpu_plan_create reads headers, tables and the places of chunks, checks the record's checksum, and lays
 * out an image: one block of bytes. WCODEC_UNSUPPORTED: only the CPU decodes this record (wcodec_decode_layer).
 *   2. the caller allocates the image, the elements and the scratch memory that wcodec_gpu_plan_describe tells, on the
 *      GPU, each beginning at a multiple of WCODEC_GPU_ALIGNMENT, and a uint64_t of status, set to 0;
 *   3. wcodec_gpu_upload, or the caller's own copy of wcodec_gpu_plan_image, brings the image there;
 *   4. wcodec_gpu_decode, as often as elements are wanted: nothing is allocated and nothing waits, and it may be
 *      captured in a CUDA graph. One image may be decoded on several streams at once, each with elements and scratch
 *      memory of its own;
 *   5. once the stream has come there, wcodec_gpu_check of the status word, copied back. */
typedef struct wcodec_gpu_plan wcodec_gpu_plan;

#define WCODEC_GPU_ALIGNMENT 16

/* Uses the option max_weights. */
WCODEC_API wcodec_status wcodec_gpu_plan_create(const void* record, size_t record_size, const wcodec_options* options,
                                                wcodec_gpu_plan** plan);
WCODEC_API void wcodec_gpu_plan_destroy(wcodec_gpu_plan* plan);

typedef struct wcodec_gpu_plan_info {
  size_t struct_size; /* set by the caller */
  wcodec_dtype dtype; /* as in wcodec_record_info */
  uint64_t rows, cols;
  uint64_t decoded_bytes; /* rows · cols · wcodec_dtype_size(dtype) */
  uint64_t image_bytes;
  uint64_t scratch_bytes; /* 0 for most records: `scratch` may be NULL then */
} wcodec_gpu_plan_info;

WCODEC_API wcodec_status wcodec_gpu_plan_describe(const wcodec_gpu_plan* plan, wcodec_gpu_plan_info* info);
/* The image in main memory, of image_bytes; NULL once it has been dropped. */
WCODEC_API const void* wcodec_gpu_plan_image(const wcodec_gpu_plan* plan);
/* Gives the main memory of the image back, once it is on the GPU; decoding needs only what remains. */
WCODEC_API void wcodec_gpu_plan_drop_image(wcodec_gpu_plan* plan);

/* Copies the image to the GPU, in the stream's order, but not in a graph. The plan has to stay until the stream has
 * come there. */
WCODEC_API wcodec_status wcodec_gpu_upload(const wcodec_gpu_plan* plan, void* image, void* stream);
/* Queues the decoding. `elements` has decoded_bytes. `status` is on the GPU; it stays as it is unless a stream is
 * damaged, and one word may serve many records. Decodes that follow one another on a stream may overlap, so that they
 * need elements (and scratch memory, where it is used) of their own; whatever else follows finds all of them done. */
WCODEC_API wcodec_status wcodec_gpu_decode(const wcodec_gpu_plan* plan, const void* image, void* elements,
                                           void* scratch, uint64_t* status, void* stream);
/* What wcodec_decode_layer would have returned: WCODEC_OK for 0. */
WCODEC_API wcodec_status wcodec_gpu_check(uint64_t status);

/* Where a layer of a container is to go. */
typedef struct wcodec_gpu_target {
  size_t layer;   /* index into the reader's layers */
  int gpu;        /* its number */
  void* elements; /* on that GPU, beginning at a multiple of WCODEC_GPU_ALIGNMENT */
  size_t size;    /* exactly decoded_bytes of the layer */
} wcodec_gpu_target;

typedef struct wcodec_gpu_stats {
  size_t struct_size;    /* set by the caller */
  uint64_t layers;       /* of the targets */
  uint64_t record_bytes; /* read from the file */
  uint64_t decoded_bytes;
  uint64_t gpu_records, cpu_records;
  double seconds;
  char note[512]; /* why the CPU decoded some records; "" where it did not */
} wcodec_gpu_stats;

/* Loads layers to the memory of GPUs: reading, planning, copying and decoding overlap, on several GPUs at once where
 * targets name several. Returns when all of it is there; work that the caller has queued on that memory has to have
 * ended before. What a GPU has no decoder or no memory for the CPU decodes. Targets keep what has been decoded before a
 * failure. Uses the options threads, gpu_staging. `options`, `progress` and `stats` may be NULL. */
WCODEC_API wcodec_status wcodec_reader_load(const wcodec_reader* reader, const wcodec_gpu_target* targets, size_t count,
                                            const wcodec_options* options, wcodec_progress progress, void* user,
                                            wcodec_gpu_stats* stats);
/* Divides the layers among this many GPUs by ranges with about as many bytes each: `gpu_of_layer` has room for a number
 * a layer, and gets 0 … gpus − 1. */
WCODEC_API wcodec_status wcodec_reader_split(const wcodec_reader* reader, int gpus, int* gpu_of_layer);

#ifdef __cplusplus
}
#endif

#endif
