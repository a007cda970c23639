// Kernels with known behaviour, right and wrong on purpose: they show that the gate passes the one and stops the other.

// sums of the blocks: shared memory, barriers, shuffles; right
extern "C" __global__ void block_sum(const double *__restrict__ x, double *__restrict__ out, long long n) {
    __shared__ double of_warp[32];
    double sum = 0.0;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
        sum += x[i];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        double total = 0.0;
        for (int w = 0; w < (blockDim.x + 31) / 32; ++w) total += of_warp[w];
        out[blockIdx.x] = total;
    }
}

// a histogram: atomics on dynamic shared memory; right
extern "C" __global__ void histogram(const long long *__restrict__ x, int *__restrict__ out, long long n, long long bins) {
    extern __shared__ int count[];
    for (int b = threadIdx.x; b < bins; b += blockDim.x) count[b] = 0;
    __syncthreads();
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
        atomicAdd(&count[x[i]], 1);
    __syncthreads();
    for (int b = threadIdx.x; b < bins; b += blockDim.x) atomicAdd(&out[b], count[b]);
}

// each thread takes its neighbour's value, and the barrier between writing and reading is missing
extern "C" __global__ void race(const double *__restrict__ x, double *__restrict__ out, long long n) {
    __shared__ double tile[256];
    int t = threadIdx.x, next = (t + 1) % blockDim.x;
    tile[t] = t < n ? x[t] : 0.0;
    if (t < n) out[t] = tile[next];
    __syncthreads();
}

// the last thread writes one element too far
extern "C" __global__ void overrun(const double *__restrict__ x, double *__restrict__ out, long long n) {
    for (long long i = threadIdx.x; i <= n; i += blockDim.x) out[i] = x[i < n ? i : 0];
}

// one element past static shared memory
extern "C" __global__ void shared_overrun(double *__restrict__ out) {
    __shared__ double tile[32];
    tile[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = tile[(threadIdx.x * 32) / (blockDim.x - 1)];
}

// adds to shared memory that nobody set to zero
extern "C" __global__ void unset_shared(double *__restrict__ out) {
    __shared__ double sum;
    if (threadIdx.x == 0) sum += 1.0;
    __syncthreads();
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// half of the block leaves before a barrier
extern "C" __global__ void early_exit(double *__restrict__ out, long long n) {
    if (threadIdx.x >= n) return;
    __syncthreads();
    out[threadIdx.x] = 1.0;
}

// half of the warp does not come to the shuffle: it waits at another warp operation ...
extern "C" __global__ void lonely_shuffle(double *__restrict__ out) {
    double x = threadIdx.x;
    if (threadIdx.x < 16) x = __shfl_xor_sync(0xffffffffu, x, 1);
    __syncwarp();
    out[threadIdx.x] = x;
}

// ... or at a barrier
extern "C" __global__ void lonelier_shuffle(double *__restrict__ out) {
    double x = threadIdx.x;
    if (threadIdx.x < 16) x = __shfl_xor_sync(0xffffffffu, x, 1);
    __syncthreads();
    out[threadIdx.x] = x;
}

// a signed overflow
extern "C" __global__ void overflow(long long *__restrict__ out, long long n) { out[threadIdx.x] = n * n; }
