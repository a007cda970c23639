// Volumetric error at scattered points: one point a thread, see volumetric.py for the formula.
//
// node: the sample positions of X, then Y, then Z. table: for every interval of X, then Y, then Z, six offsets and six
// slopes (E_X, E_Y, E_Z, E_A, E_B, E_C). levers: bit 3a + b says that the position of axis b is in the lever arm of axis a.

struct Six {
    double value[6];
};

// the six functions of one axis at p, held beyond the ends; a NaN falls into the first interval and comes out of it
static __device__ Six interpolated(double p, const double *__restrict__ node, const double *__restrict__ table, long long k) {
    double first = node[0], last = node[k - 1];
    double held = p < first ? first : (p > last ? last : p);
    long long low = 0, high = k - 1;
    while (high - low > 1) {
        long long middle = (low + high) / 2;
        if (held >= node[middle]) low = middle;
        else high = middle;
    }
    const double *row = table + 12 * low;
    Six six;
#pragma unroll
    for (int q = 0; q < 6; ++q) six.value[q] = row[q] + row[6 + q] * held;
    return six;
}

// adds ε × r, r the positions that are in the lever arm
static __device__ void add_cross(const Six &six, long long arm, double x, double y, double z, double *delta) {
    double a = six.value[3], b = six.value[4], c = six.value[5];
    if (arm & 1) {
        delta[1] += c * x;
        delta[2] -= b * x;
    }
    if (arm & 2) {
        delta[0] -= c * y;
        delta[2] += a * y;
    }
    if (arm & 4) {
        delta[0] += b * z;
        delta[1] -= a * z;
    }
}

extern "C" __global__ void volumetric(const double *__restrict__ p, long long n, const double *__restrict__ node,
                                      const double *__restrict__ table, long long kx, long long ky, long long kz,
                                      long long levers, double c0y, double b0z, double a0z,
                                      double *__restrict__ delta) {
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x) {
        double x = p[i], y = p[n + i], z = p[2 * n + i];
        Six of_x = interpolated(x, node, table, kx);
        Six of_y = interpolated(y, node + kx, table + 12 * (kx - 1), ky);
        Six of_z = interpolated(z, node + kx + ky, table + 12 * (kx + ky - 2), kz);
        double sum[3];
#pragma unroll
        for (int c = 0; c < 3; ++c) sum[c] = of_x.value[c] + of_y.value[c] + of_z.value[c];
        add_cross(of_x, levers & 7, x, y, z, sum);
        add_cross(of_y, levers >> 3 & 7, x, y, z, sum);
        add_cross(of_z, levers >> 6 & 7, x, y, z, sum);
        delta[i] = sum[0] - c0y * y + b0z * z;
        delta[n + i] = sum[1] - a0z * z;
        delta[2 * n + i] = sum[2];
    }
}
