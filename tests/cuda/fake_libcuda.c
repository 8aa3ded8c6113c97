/* A stand-in for NVIDIA's driver, for tests/cuda/test_driver.py: what numba.cuda and numba-cuda call to load a kernel and
   launch it, with memory of the host. It computes nothing: a launch adds 1 to the first element of the first array if that
   is of float32. Calls of interest go to the file FAKE_LOG; FAKE_SYNC is the error that waiting gives. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long Pointer;
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500 };
enum { MEMORY = 1 << 30, MOST_SHARED = 232448, UNASKED_SHARED = 49152, MAX_DYNAMIC_SHARED = 8 };
static int context, *current = NULL, shared = UNASKED_SHARED;

static void note(const char *call, long a, long b) {
    FILE *log = fopen(getenv("FAKE_LOG") ? getenv("FAKE_LOG") : "/dev/null", "a");
    fprintf(log, "%s %ld %ld\n", call, a, b);
    fclose(log);
}
static int number(const char *name) { return getenv(name) ? atoi(getenv(name)) : OK; }
static int make(void **handle) { *handle = malloc(8); return OK; }

int cuInit(unsigned flags) { return OK; }
int cuDriverGetVersion(int *version) { *version = 13000; return OK; }
int cuGetErrorName(int code, const char **name) {
    *name = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_INVALID_VALUE";
    return OK;
}
int cuGetErrorString(int code, const char **text) { *text = "it failed"; return OK; }
int cuDeviceGetCount(int *count) { *count = 1; return OK; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return OK; }
int cuDeviceGetName(char *name, int room, int device) { strncpy(name, "pretended card", room); return OK; }
int cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 1, 16); return OK; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
    case 10: *value = 32; break;   /* warp */
    case 16: *value = 132; break;  /* multiprocessors */
    case 20: *value = 0; break;    /* compute mode */
    case 75: *value = 9; break;    /* compute capability */
    case 76: *value = 0; break;
    case 81: *value = MOST_SHARED + 1024; break;
    case 97: *value = MOST_SHARED; break;
    default: *value = 1;
    }
    return OK;
}

int cuDevicePrimaryCtxRetain(int **made, int device) { *made = &context; return OK; }
int cuDevicePrimaryCtxRelease_v2(int device) { return OK; }
int cuCtxGetCurrent(int **found) { *found = current; return OK; }
int cuCtxSetCurrent(int *given) { current = given; return OK; }
int cuCtxPushCurrent_v2(int *given) { current = given; return OK; }
int cuCtxPopCurrent_v2(int **found) { *found = current; current = NULL; return OK; }
int cuCtxGetDevice(int *device) { *device = 0; return OK; }
int cuCtxGetId(int *given, Pointer *id) { *id = 1; return OK; }
int cuCtxSynchronize(void) { return OK; }
int cuStreamCreate(void **stream, unsigned flags) { return make(stream); }
int cuStreamDestroy_v2(void *stream) { return OK; }
int cuStreamSynchronize(void *stream) { return number("FAKE_SYNC"); }
int cuStreamGetCtx(void *stream, int **found) { *found = &context; return OK; }
int cuStreamIsCapturing(void *stream, int *captures) { *captures = 0; return OK; }
int cuIpcOpenMemHandle(void *handle) { return OK; }

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) { *free_bytes = *total = MEMORY; return OK; }
int cuMemAlloc_v2(Pointer *memory, size_t size) {
    if (size > MEMORY) return OUT_OF_MEMORY;
    *memory = (Pointer)malloc(size + 1);
    return OK;
}
int cuMemFree_v2(Pointer memory) { free((void *)memory); return OK; }
int cuMemcpyHtoD_v2(Pointer to, void *from, size_t size) { memcpy((void *)to, from, size); return OK; }
int cuMemcpyHtoDAsync_v2(Pointer to, void *from, size_t size, void *s) { memcpy((void *)to, from, size); return OK; }
int cuMemcpyDtoH_v2(void *to, Pointer from, size_t size) { memcpy(to, (void *)from, size); return OK; }
int cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t size, void *s) { memcpy(to, (void *)from, size); return OK; }

/* numba: PTX is linked, a module loaded, a CUfunction taken */
int cuLinkCreate_v2(unsigned count, int *options, void **values, void **state) { return make(state); }
int cuLinkAddData_v2(void *state, int kind, void *data, size_t size, char *name, unsigned n, int *options, void **values) {
    note("link", 0, 0);
    return OK;
}
int cuLinkComplete(void *state, void **image, size_t *size) { *image = "linked"; *size = 6; return OK; }
int cuLinkDestroy(void *state) { return OK; }
int cuModuleLoadDataEx(void **module, void *image, unsigned count, int *options, void **values) { return make(module); }
int cuModuleUnload(void *module) { return OK; }
int cuModuleGetFunction(void **function, void *module, char *name) { return make(function); }
int cuFuncGetAttribute(int *value, int attribute, void *function) { *value = attribute == 0 ? 1024 : 0; return OK; }
int cuFuncSetAttribute(void *function, int attribute, int value) {
    note("allow", attribute, value);
    if (attribute != MAX_DYNAMIC_SHARED || value > MOST_SHARED) return INVALID_VALUE;
    shared = value;
    return OK;
}
int cuLaunchKernel(void *function, unsigned grid, unsigned grid_y, unsigned grid_z, unsigned block, unsigned block_y,
                   unsigned block_z, unsigned bytes, void *stream, void **arguments, void **extra) {
    note("launch", grid, bytes);
    if ((int)bytes > shared) return INVALID_VALUE;
    if (*(size_t *)arguments[3] == sizeof(float)) **(float **)arguments[4] += 1; /* itemsize, data */
    return OK;
}

/* numba-cuda: a library is loaded, a CUkernel taken; functions are asked for by name */
int cuLibraryLoadData(void **library, void *code, void *a, void *b, unsigned n, void *c, void *d, unsigned m) {
    note("load", 0, 0);
    return make(library);
}
int cuLibraryUnload(void *library) { return OK; }
int cuLibraryGetKernel(void **kernel, void *library, char *name) { return make(kernel); }
int cuKernelGetAttribute(int *value, int attribute, void *kernel, int device) { *value = attribute == 0 ? 1024 : 0; return OK; }
int cuKernelSetAttribute(int attribute, int value, void *kernel, int device) {
    return device ? INVALID_VALUE : cuFuncSetAttribute(kernel, attribute, value);
}
typedef struct { unsigned grid, y, z, block, block_y, block_z, bytes; void *stream; } Launch;
int cuLaunchKernelEx(Launch *how, void *kernel, void **arguments, void **extra) {
    return cuLaunchKernel(kernel, how->grid, 1, 1, how->block, 1, 1, how->bytes, how->stream, arguments, extra);
}
int cuGetProcAddress_v2(char *name, void **found, int version, Pointer flags, int *status) {
    char second[200];
    snprintf(second, sizeof second, "%s_v2", name);
    *found = dlsym(NULL, second);
    if (*found == NULL) *found = dlsym(NULL, name);
    if (status != NULL) *status = *found == NULL;
    return *found == NULL ? NOT_FOUND : OK;
}
