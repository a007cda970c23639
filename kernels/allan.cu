// Sums of squares of second and third differences over m samples, and sums of neighbours. See allan.py for the formulas.
// No headers; long long is 64 bits.

extern "C" __global__ void allan_neighbours(const double *x, double *out, long long m, long long n)
{
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
        out[i] = x[i] + x[i + m];
}

// One row of blocks for every m: samples[y], with terms[y] terms. partial, found: (rows, gridDim.x), one value a block.
// A term with a NaN, or with another count of breaks at its last phase (order·m + further samples on) than at its first, is left out.
extern "C" __global__ void allan_terms(const double *x, const long long *breaks, const long long *samples, const long long *terms,
                                       double *partial, long long *found, long long order, long long overlapping, long long start,
                                       long long gapped, long long further)
{
    __shared__ double sum_of[256];
    __shared__ long long count_of[256];
    const long long m = samples[blockIdx.y], n = terms[blockIdx.y];
    const long long step = overlapping ? 1 : m, first = overlapping ? 0 : (m - start % m) % m;
    const long long span = order * m + further;
    double sum = 0.0;
    long long count = 0;
    for (long long i = first + step * (blockIdx.x * (long long)blockDim.x + threadIdx.x); i < n;
         i += step * (long long)gridDim.x * blockDim.x) {
        const double early = x[i + m] - x[i], middle = x[i + 2 * m] - x[i + m];
        double d = middle - early;
        if (order == 3) d = ((x[i + 3 * m] - x[i + 2 * m]) - middle) - d;
        if (d == d && (!gapped || breaks[i + span] == breaks[i])) {
            sum += d * d;
            count++;
        }
    }
    sum_of[threadIdx.x] = sum;
    count_of[threadIdx.x] = count;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            sum_of[threadIdx.x] += sum_of[threadIdx.x + half];
            count_of[threadIdx.x] += count_of[threadIdx.x + half];
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        partial[blockIdx.y * (long long)gridDim.x + blockIdx.x] = sum_of[0];
        found[blockIdx.y * (long long)gridDim.x + blockIdx.x] = count_of[0];
    }
}
