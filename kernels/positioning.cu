// Figures of ISO 230-2, one trial a thread. The generic implementation in positioning.py is the definition.
//
// figures [12][trials]: A, A_up, A_down, E, E_up, E_down, M, R, R_up, R_down, B, B_mean.

static __device__ const double HUGE_VALUE = 1.7976931348623157e308;

static __device__ double larger(double a, double b) { return a > b ? a : b; }
static __device__ double smaller(double a, double b) { return a < b ? a : b; }

// What the targets before have shown, for each approach and for both.
struct Axis {
    double peak[2], valley[2], top[2], bottom[2], widest[2];  // of mean + 2s, mean - 2s, mean, mean, 2s
    double middle_top, middle_bottom, repeatability, reversal, sum_of_reversals, total;
};

static __device__ Axis nothing()
{
    Axis a;
    for (int d = 0; d < 2; ++d) {
        a.peak[d] = a.top[d] = -HUGE_VALUE;
        a.valley[d] = a.bottom[d] = HUGE_VALUE;
        a.widest[d] = 0.0;
    }
    a.middle_top = -HUGE_VALUE;
    a.middle_bottom = HUGE_VALUE;
    a.repeatability = a.reversal = a.sum_of_reversals = a.total = 0.0;
    return a;
}

static __device__ void add_approach(Axis &a, int d, double mean, double twice)
{
    a.peak[d] = larger(a.peak[d], mean + twice);
    a.valley[d] = smaller(a.valley[d], mean - twice);
    a.top[d] = larger(a.top[d], mean);
    a.bottom[d] = smaller(a.bottom[d], mean);
    a.widest[d] = larger(a.widest[d], twice);
}

// One target: mean and doubled standard deviation of both approaches.
static __device__ void add_target(Axis &a, const double *mean, const double *twice)
{
    add_approach(a, 0, mean[0], twice[0]);
    add_approach(a, 1, mean[1], twice[1]);
    double reversal = mean[0] - mean[1], middle = (mean[0] + mean[1]) / 2.0, size = fabs(reversal);
    a.middle_top = larger(a.middle_top, middle);
    a.middle_bottom = smaller(a.middle_bottom, middle);
    a.repeatability = larger(a.repeatability, larger(twice[0] + twice[1] + size, 2.0 * larger(twice[0], twice[1])));
    a.reversal = larger(a.reversal, size);
    a.sum_of_reversals += reversal;
    a.total += mean[0] + mean[1];
}

static __device__ void write(const Axis &a, double *figures, long long trials, long long trial, long long m)
{
    double lost = a.total - a.total;  // NaN where a deviation is not finite, else 0
    double *f = figures + trial;
    f[0] = larger(a.peak[0], a.peak[1]) - smaller(a.valley[0], a.valley[1]) + lost;
    f[3 * trials] = larger(a.top[0], a.top[1]) - smaller(a.bottom[0], a.bottom[1]) + lost;
    for (int d = 0; d < 2; ++d) {
        f[(1 + d) * trials] = a.peak[d] - a.valley[d] + lost;
        f[(4 + d) * trials] = a.top[d] - a.bottom[d] + lost;
        f[(8 + d) * trials] = 2.0 * a.widest[d] + lost;
    }
    f[6 * trials] = a.middle_top - a.middle_bottom + lost;
    f[7 * trials] = a.repeatability + lost;
    f[10 * trials] = a.reversal + lost;
    f[11 * trials] = a.sum_of_reversals / m + lost;
}

// deviation [trials][2][m][n]. A block takes a tile of trials into shared memory (`stride` values a trial, odd), reading memory
// from end to end, and then one thread works on each trial.
extern "C" __global__ void positioning_figures(const double *deviation, long long m, long long n, long long trials, long long tile,
                                               long long stride, double *figures)
{
    extern __shared__ double shared[];
    long long readings = 2 * m * n;
    for (long long first = blockIdx.x * tile; first < trials; first += gridDim.x * tile) {
        long long here = trials - first < tile ? trials - first : tile;
        for (long long k = threadIdx.x; k < here * readings; k += blockDim.x)
            shared[k / readings * stride + k % readings] = deviation[first * readings + k];
        __syncthreads();
        for (long long t = threadIdx.x; t < here; t += blockDim.x) {
            Axis a = nothing();
            for (long long i = 0; i < m; ++i) {
                double mean[2], twice[2];
                for (int d = 0; d < 2; ++d) {
                    const double *x = shared + t * stride + (d * m + i) * n;
                    double sum = 0.0, squares = 0.0;
                    for (long long j = 0; j < n; ++j) sum += x[j];
                    mean[d] = sum / n;
                    for (long long j = 0; j < n; ++j) squares += (x[j] - mean[d]) * (x[j] - mean[d]);
                    twice[d] = sqrt(squares * (4.0 / (n - 1)));
                }
                add_target(a, mean, twice);
            }
            write(a, figures, trials, first + t, m);
        }
        __syncthreads();
    }
}

// Normal numbers 0, 1, 2 ... of a trial: Philox4x32-10, two from a counter; see philox.py.
struct Normal {
    unsigned long long trial, seed, block;
    double second;
    bool waiting;
};

static __device__ double next(Normal &s)
{
    if (s.waiting) {
        s.waiting = false;
        return s.second;
    }
    unsigned int c0 = (unsigned int)s.block, c1 = (unsigned int)(s.block >> 32);
    unsigned int c2 = (unsigned int)s.trial, c3 = (unsigned int)(s.trial >> 32);
    unsigned int k0 = (unsigned int)s.seed, k1 = (unsigned int)(s.seed >> 32);
    for (int round = 0; round < 10; ++round) {
        unsigned long long p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (unsigned int)(p1 >> 32) ^ c1 ^ k0;
        c1 = (unsigned int)p1;
        c2 = (unsigned int)(p0 >> 32) ^ c3 ^ k1;
        c3 = (unsigned int)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    double u = ((double)(((unsigned long long)(c0 >> 5) << 26) + (c1 >> 6)) + 1.0) * 1.1102230246251565e-16;
    double v = (double)(((unsigned long long)(c2 >> 5) << 26) + (c3 >> 6)) * (1.1102230246251565e-16 * 6.283185307179586);
    double radius = sqrt(-2.0 * log(u));
    s.block += 1;
    s.second = radius * sin(v);
    s.waiting = true;
    return radius * cos(v);
}

// deviation [2][m][n], position [m]. The readings of a trial are drawn, used and forgotten: nothing is stored but the figures.
extern "C" __global__ void drawn_positioning_figures(const double *deviation, const double *position, long long m, long long n,
                                                     double reading_std, double scale_std, long long seed, long long first_trial,
                                                     long long trials, double *figures)
{
    for (long long t = blockIdx.x * (long long)blockDim.x + threadIdx.x; t < trials; t += (long long)gridDim.x * blockDim.x) {
        Normal normal = {(unsigned long long)(first_trial + t), (unsigned long long)seed, 0, 0.0, false};
        double scale = scale_std * next(normal);
        Axis a = nothing();
        for (long long i = 0; i < m; ++i) {
            double mean[2], twice[2];
            for (int d = 0; d < 2; ++d) {
                double average = 0.0, squares = 0.0;  // Welford: each reading is seen once
                for (long long j = 0; j < n; ++j) {
                    double x = deviation[(d * m + i) * n + j] + scale * position[i] + reading_std * next(normal);
                    double before = x - average;
                    average += before / (j + 1);
                    squares += before * (x - average);
                }
                mean[d] = average;
                twice[d] = sqrt(squares * (4.0 / (n - 1)));
            }
            add_target(a, mean, twice);
        }
        write(a, figures, trials, t, m);
    }
}
