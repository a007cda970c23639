// Moving mean and population standard deviation of the windows inside each row. See moving.py for the formulas.
//
// A block of threads takes a tile of results: it reads the tile's samples and the count - 1 that follow into shared memory
// and merges neighbouring windows, doubling their length each time (Chan's formula). No headers; long long is 64 bits.

// A finite sample of the tile, the same for all threads of the block: sums are formed of deviations from it.
static __device__ __forceinline__ double pivot_of(const double *x, long long length)
{
    for (long long i = 0; i < length; i++) {
        const double value = x[(length / 2 + i) % length];
        if (value - value == 0.0) return value;
    }
    return 0.0;
}

// mean, std: (rows, n - count + 1).  Shared: six arrays of tile + count - 1.
extern "C" __global__ void moving_rectangle(const double *x, double *mean, double *std, long long rows, long long n,
                                            long long count, long long tile, long long tiles)
{
    extern __shared__ double shared[];
    const long long results = n - count + 1, stride = tile + count - 1;
    double *found_s = shared + 4 * stride, *found_q = shared + 5 * stride;
    for (long long unit = blockIdx.x; unit < rows * tiles; unit += gridDim.x) {
        const long long row = unit / tiles, start = unit % tiles * tile;
        const long long here = results - start < tile ? results - start : tile, length = here + count - 1;
        const double *piece = x + row * n + start;
        const double pivot = pivot_of(piece, length);
        double *s = shared, *q = shared + stride, *next_s = shared + 2 * stride, *next_q = shared + 3 * stride;
        for (long long k = threadIdx.x; k < length; k += blockDim.x) {
            const double deviation = piece[k] - pivot, zero = deviation - deviation; // NaN for a NaN or an infinity
            s[k] = deviation + zero;
            q[k] = zero;
        }
        __syncthreads();
        for (long long m = 1, have = 0; have < count; m *= 2) {
            if (count & m) {
                const double factor = have ? (double)have * (double)m / (double)(have + m) : 0.0;
                const double per_have = have ? 1.0 / (double)have : 0.0, per_m = 1.0 / (double)m;
                for (long long k = threadIdx.x; k < length - have - m + 1; k += blockDim.x) {
                    const double sa = have ? found_s[k] : 0.0, qa = have ? found_q[k] : 0.0;
                    const double sb = s[k + have], qb = q[k + have], difference = sb * per_m - sa * per_have;
                    found_s[k] = sa + sb;
                    found_q[k] = have ? qa + qb + factor * difference * difference : qb;
                }
                have += m;
            }
            if (have < count) {
                for (long long k = threadIdx.x; k < length - 2 * m + 1; k += blockDim.x) {
                    const double difference = s[k + m] - s[k];
                    next_s[k] = s[k] + s[k + m];
                    next_q[k] = q[k] + q[k + m] + 0.5 / (double)m * difference * difference;
                }
            }
            __syncthreads();
            double *swap = s;
            s = next_s;
            next_s = swap;
            swap = q;
            q = next_q;
            next_q = swap;
        }
        for (long long k = threadIdx.x; k < here; k += blockDim.x) {
            mean[row * results + start + k] = found_s[k] / (double)count + pivot;
            std[row * results + start + k] = sqrt(found_q[k] / (double)count);
        }
        __syncthreads();
    }
}

// weights: (count), of sum 1.  Shared: one array of tile + count - 1.
extern "C" __global__ void moving_weighted(const double *x, const double *weights, double *mean, double *std, long long rows,
                                           long long n, long long count, long long tile, long long tiles)
{
    extern __shared__ double shared[];
    const long long results = n - count + 1;
    for (long long unit = blockIdx.x; unit < rows * tiles; unit += gridDim.x) {
        const long long row = unit / tiles, start = unit % tiles * tile;
        const long long here = results - start < tile ? results - start : tile, length = here + count - 1;
        const double *piece = x + row * n + start;
        const double pivot = pivot_of(piece, length);
        for (long long k = threadIdx.x; k < length; k += blockDim.x) {
            const double deviation = piece[k] - pivot;
            shared[k] = deviation + (deviation - deviation);
        }
        __syncthreads();
        for (long long k = threadIdx.x; k < here; k += blockDim.x) {
            double average = 0.0, square = 0.0;
            for (long long i = 0; i < count; i++) average += weights[i] * shared[k + i];
            for (long long i = 0; i < count; i++) {
                const double difference = shared[k + i] - average;
                square += weights[i] * difference * difference;
            }
            mean[row * results + start + k] = average + pivot;
            std[row * results + start + k] = sqrt(square);
        }
        __syncthreads();
    }
}
