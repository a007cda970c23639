// Quadrature signals: the sums of the ellipse fit; corrected phase with its turns. See quadrature.py and ellipse.py for the formulas.
//
// Phases come in two launches: the turns gained in each tile, whose running sum is formed in between, then the phases, with a
// scan over the turns inside the tile. Both read the signals, so that nothing is stored in between. NaN from the first step on
// that is NaN. No headers; long long is 64 bits.

#define PI 3.141592653589793

// Explicit fma: both launches must find the same angle, to the last bit, or a step near half a turn could be counted twice.
static __device__ __forceinline__ double angle_of(double s, double c, double p, double q, double gain, double tangent)
{
    const double x = s - p, y = fma(x, tangent, (c - q) * gain);
    return atan2(y, x) + ((x - x) + (y - y));
}

// Turns gained by the step to sample i; NaN where it is not known.
static __device__ __forceinline__ double gained_at(const double *s, const double *c, double p, double q, double gain, double tangent,
                                                   long long begins, double last, long long i, double angle)
{
    double before = last;
    if (i > 0) before = angle_of(s[i - 1], c[i - 1], p, q, gain, tangent);
    else if (begins) before = angle;
    const double step = angle - before;
    return (step < -PI ? 1.0 : 0.0) - (step > PI ? 1.0 : 0.0) + (step - step);
}

// gained: (tiles)
extern "C" __global__ void quadrature_gained(const double *s, const double *c, double p, double q, double gain, double tangent,
                                             long long begins, double last, double *gained, long long n, long long tile, long long tiles)
{
    __shared__ double sum_of[256];
    for (long long t = blockIdx.x; t < tiles; t += gridDim.x) {
        const long long start = t * tile, stop = start + tile < n ? start + tile : n;
        double sum = 0.0;
        for (long long i = start + threadIdx.x; i < stop; i += blockDim.x)
            sum += gained_at(s, c, p, q, gain, tangent, begins, last, i, angle_of(s[i], c[i], p, q, gain, tangent));
        sum_of[threadIdx.x] = sum;
        __syncthreads();
        for (int half = blockDim.x / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) sum_of[threadIdx.x] += sum_of[threadIdx.x + half];
            __syncthreads();
        }
        if (threadIdx.x == 0) gained[t] = sum_of[0];
        __syncthreads();
    }
}

// turns: (tiles), before each tile. out: (n)
extern "C" __global__ void quadrature_phase(const double *s, const double *c, double p, double q, double gain, double tangent,
                                            long long begins, double last, const double *turns, double *out, long long n,
                                            long long tile, long long tiles)
{
    __shared__ double turn_of[256];
    for (long long t = blockIdx.x; t < tiles; t += gridDim.x) {
        const long long start = t * tile, stop = start + tile < n ? start + tile : n;
        double begun = turns[t];
        for (long long at = start; at < stop; at += blockDim.x) {
            const long long i = at + threadIdx.x;
            const double angle = i < stop ? angle_of(s[i], c[i], p, q, gain, tangent) : 0.0;
            turn_of[threadIdx.x] = i < stop ? gained_at(s, c, p, q, gain, tangent, begins, last, i, angle) : 0.0;
            __syncthreads();
            for (int reach = 1; reach < blockDim.x; reach *= 2) {
                const double more = threadIdx.x >= reach ? turn_of[threadIdx.x - reach] : 0.0;
                __syncthreads();
                turn_of[threadIdx.x] += more;
                __syncthreads();
            }
            if (i < stop) out[i] = angle + 2.0 * PI * (begun + turn_of[threadIdx.x]);
            begun += turn_of[blockDim.x - 1];
            __syncthreads();
        }
    }
}

// partial: (14, gridDim.x), in the order of ellipse.py.
extern "C" __global__ void quadrature_sums(const double *s, const double *c, double centre_s, double centre_c, double scale,
                                           double *partial, long long n)
{
    __shared__ double sum_of[256];
    double sum[14] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x) {
        const double u = (s[i] - centre_s) / scale, v = (c[i] - centre_c) / scale, uu = u * u, uv = u * v, vv = v * v;
        sum[0] += uu * uu;
        sum[1] += uu * uv;
        sum[2] += uu * vv;
        sum[3] += uv * vv;
        sum[4] += vv * vv;
        sum[5] += uu * u;
        sum[6] += uu * v;
        sum[7] += u * vv;
        sum[8] += vv * v;
        sum[9] += uu;
        sum[10] += uv;
        sum[11] += vv;
        sum[12] += u;
        sum[13] += v;
    }
#pragma unroll
    for (int k = 0; k < 14; k++) {
        sum_of[threadIdx.x] = sum[k];
        __syncthreads();
        for (int half = blockDim.x / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) sum_of[threadIdx.x] += sum_of[threadIdx.x + half];
            __syncthreads();
        }
        if (threadIdx.x == 0) partial[k * (long long)gridDim.x + blockIdx.x] = sum_of[0];
        __syncthreads();
    }
}
