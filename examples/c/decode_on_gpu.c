/* One layer to a record, and back in the memory of a GPU, from a CUDA graph.
 *
 *   nvcc decode_on_gpu.c $(pkg-config --cflags --libs wcodec) -o decode_on_gpu && ./decode_on_gpu */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wcodec.h>

static int failed(const char* what) {
  const wcodec_error* error = wcodec_last_error();
  fprintf(stderr, "%s: %s (%s)\n", what, error->message, wcodec_status_name(error->status));
  return 1;
}

/* What the GPU holds of a layer. */
typedef struct layer {
  void *image, *elements, *scratch;
  uint64_t* status;
} layer;

static cudaError_t allocate(const wcodec_gpu_plan_info* info, layer* made) {
  cudaError_t error = cudaMalloc(&made->image, info->image_bytes);
  if (error == cudaSuccess) error = cudaMalloc(&made->elements, info->decoded_bytes);
  if (error == cudaSuccess && info->scratch_bytes != 0) error = cudaMalloc(&made->scratch, info->scratch_bytes);
  if (error == cudaSuccess) error = cudaMalloc((void**)&made->status, sizeof(uint64_t));
  if (error == cudaSuccess) error = cudaMemset(made->status, 0, sizeof(uint64_t));
  return error;
}

static void release(layer* made) {
  cudaFree(made->image);
  cudaFree(made->elements);
  cudaFree(made->scratch);
  cudaFree(made->status);
}

/* Decodes on a stream of its own, recorded once and launched twice. */
static int decode(const wcodec_gpu_plan* plan, const layer* on_gpu) {
  cudaStream_t stream = NULL;
  cudaGraph_t graph = NULL;
  cudaGraphExec_t program = NULL;
  wcodec_status status = WCODEC_INTERNAL;
  int i;
  if (cudaStreamCreate(&stream) != cudaSuccess) return 0;
  if (wcodec_gpu_upload(plan, on_gpu->image, stream) == WCODEC_OK && cudaStreamSynchronize(stream) == cudaSuccess &&
      cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess) {
    status = wcodec_gpu_decode(plan, on_gpu->image, on_gpu->elements, on_gpu->scratch, on_gpu->status, stream);
    if (cudaStreamEndCapture(stream, &graph) != cudaSuccess) status = WCODEC_INTERNAL;
  }
  if (status == WCODEC_OK && cudaGraphInstantiate(&program, graph, 0) != cudaSuccess) status = WCODEC_INTERNAL;
  for (i = 0; status == WCODEC_OK && i < 2; ++i) {
    if (cudaGraphLaunch(program, stream) != cudaSuccess) status = WCODEC_INTERNAL;
  }
  if (cudaStreamSynchronize(stream) != cudaSuccess) status = WCODEC_INTERNAL;
  if (program != NULL) cudaGraphExecDestroy(program);
  if (graph != NULL) cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
  return status == WCODEC_OK;
}

int main(void) {
  enum { kRows = 1024, kCols = 4096, kSize = kRows * kCols };
  signed char* weights = malloc(kSize);
  signed char* back = malloc(kSize);
  wcodec_options* options = NULL;
  wcodec_encoder* encoder = NULL;
  wcodec_gpu_plan* plan = NULL;
  wcodec_gpu_plan_info info = {.struct_size = sizeof info};
  layer on_gpu = {0};
  void* record = NULL;
  size_t size = 0;
  uint64_t reported = 0;
  unsigned random = 1;
  int i, sum;

  if (wcodec_gpu_count() == 0) {
    printf("no GPU: %s\n", wcodec_gpu_reason());
    return 0;
  }
  if (weights == NULL || back == NULL) return 1;
  for (i = 0; i < kSize; ++i) { /* about normal: a sum of six */
    int k;
    for (sum = 0, k = 0; k < 6; ++k) {
      random = random * 1664525u + 1013904223u;
      sum += (int)(random >> 26) - 32;
    }
    weights[i] = (signed char)(sum / 2);
  }
  /* `speed` chooses what a GPU decodes fastest. */
  if (wcodec_options_create(&options) != WCODEC_OK || wcodec_options_set(options, "preset", "speed") != WCODEC_OK ||
      wcodec_encoder_create(options, &encoder) != WCODEC_OK)
    return failed("encoder");
  if (wcodec_encode_layer_alloc(encoder, WCODEC_I8, kRows, kCols, weights, kSize, &record, &size, NULL) != WCODEC_OK)
    return failed("encode");

  if (wcodec_gpu_plan_create(record, size, NULL, &plan) != WCODEC_OK) return failed("plan");
  if (wcodec_gpu_plan_describe(plan, &info) != WCODEC_OK) return failed("describe");
  if (allocate(&info, &on_gpu) != cudaSuccess || !decode(plan, &on_gpu)) return failed("decode");
  if (cudaMemcpy(&reported, on_gpu.status, sizeof reported, cudaMemcpyDeviceToHost) != cudaSuccess) return 1;
  if (wcodec_gpu_check(reported) != WCODEC_OK) return failed("the record");
  if (cudaMemcpy(back, on_gpu.elements, kSize, cudaMemcpyDeviceToHost) != cudaSuccess) return 1;
  printf("%d bytes as %lu, an image of %lu on the GPU, decoded there: %s\n", kSize, (unsigned long)size,
         (unsigned long)info.image_bytes, memcmp(weights, back, kSize) == 0 ? "bit for bit" : "DIFFERENT");

  release(&on_gpu);
  wcodec_gpu_plan_destroy(plan);
  wcodec_free(record);
  wcodec_encoder_destroy(encoder);
  wcodec_options_destroy(options);
  free(weights);
  free(back);
  return 0;
}
