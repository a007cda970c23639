// Contour error: one sample a thread, every segment of its window looked at; see contour.py for the definitions.
//
// row: of every segment its anchor x and y, direction x and y, size, cosine of half the sweep (2: a line), side, and the path
// parameter of its start. point, tangent: of every joint, x and y. along: path parameter of every joint.

static __device__ double to_point(double px, double py, const double *__restrict__ point, long long v) {
    double dx = px - point[2 * v], dy = py - point[2 * v + 1];
    return dx * dx + dy * dy;
}

static __device__ double squared_distance(double px, double py, const double *__restrict__ r,
                                          const double *__restrict__ point, long long k) {
    double dx = px - r[0], dy = py - r[1];
    double along = dx * r[2] + dy * r[3], across = r[2] * dy - r[3] * dx;
    if (r[5] <= 1.0) {
        double radius = sqrt(dx * dx + dy * dy);
        if (along >= radius * r[5]) return (radius - r[4]) * (radius - r[4]);
        return fmin(to_point(px, py, point, k), to_point(px, py, point, k + 1));
    }
    double past = fmax(fabs(along) - r[4], 0.0);
    return across * across + past * past;
}

// how many inner joints lie before v, or at it too
static __device__ long long segment_at(double v, const double *__restrict__ along, long long m, bool with_equal) {
    long long low = 0, high = m - 1;
    while (low < high) {
        long long middle = (low + high) / 2;
        double joint = along[middle + 1];
        if (joint < v || (with_equal && joint == v)) low = middle + 1;
        else high = middle;
    }
    return low;
}

extern "C" __global__ void contour(const double *__restrict__ position, const double *__restrict__ commanded, long long n,
                                   double window, const double *__restrict__ row, const double *__restrict__ point,
                                   const double *__restrict__ tangent, const double *__restrict__ along, long long m,
                                   double *__restrict__ deviation, double *__restrict__ path,
                                   unsigned char *__restrict__ beyond) {
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x) {
        double px = position[i], py = position[n + i], s0 = commanded[i];
        if (isnan(px) || isnan(py) || isnan(s0)) {
            deviation[i] = nan("");
            path[i] = nan("");
            beyond[i] = 0;
            continue;
        }
        long long first = segment_at(s0 - window, along, m, false), last = segment_at(s0 + window, along, m, true);
        long long k = first;
        double best = squared_distance(px, py, row + 8 * first, point, first);
        for (long long j = first + 1; j <= last; ++j) {
            double squared = squared_distance(px, py, row + 8 * j, point, j);
            if (squared < best) {
                best = squared;
                k = j;
            }
        }
        const double *r = row + 8 * k;
        double dx = px - r[0], dy = py - r[1];
        double onward = dx * r[2] + dy * r[3], error = r[2] * dy - r[3] * dx, foot = r[7] + (r[4] + onward);
        bool inside = fabs(onward) <= r[4], at_end = onward > 0.0;
        if (r[5] <= 1.0) {
            double radius = hypot(dx, dy);
            inside = onward >= radius * r[5];
            at_end = to_point(px, py, point, k + 1) < to_point(px, py, point, k);
            foot = (r[7] + along[k + 1]) / 2 + r[4] * atan2(r[6] * error, onward);
            error = r[6] * (r[4] - radius);
        }
        bool off = false;
        if (!inside) {
            long long v = k + (at_end ? 1 : 0);
            dx = px - point[2 * v];
            dy = py - point[2 * v + 1];
            bool left = tangent[2 * v] * dy - tangent[2 * v + 1] * dx >= 0.0;
            error = left ? hypot(dx, dy) : -hypot(dx, dy);
            foot = along[v];
            off = v == 0 || v == m;
        }
        deviation[i] = error;
        path[i] = foot;
        beyond[i] = off;
    }
}
