// Reference circles, one block a circle. The generic implementation in circle.py is the definition; same formulas, same decisions.
// Points are x, y [circles][n]. Sums and extremes run over the block: a warp by shuffles, then the warps through shared memory.

#define WARPS 8  // the block has 32 * WARPS threads, always
#define ALL 0xffffffffu

static __device__ const double EPS = 2.220446049250313e-16;
static __device__ const double HUGE_VALUE = 1.7976931348623157e308;

// The sum of K values over the block, for every thread. `shared` holds K * WARPS values.
template <int K>
static __device__ void block_sum(double (&v)[K], double *shared)
{
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int k = 0; k < K; ++k)
        for (int step = 16; step > 0; step >>= 1)
            v[k] += __shfl_down_sync(ALL, v[k], step);
    __syncthreads();  // what was read from shared before is no longer needed
    if (lane == 0)
        for (int k = 0; k < K; ++k) shared[k * WARPS + warp] = v[k];
    __syncthreads();
    for (int k = 0; k < K; ++k) {
        v[k] = 0.0;
        for (int w = 0; w < WARPS; ++w) v[k] += shared[k * WARPS + w];
    }
}

// The largest value over the block and where it is, the first of equals, for every thread. `shared` holds 2 * WARPS values.
static __device__ void block_largest(double &value, long long &where, double *shared)
{
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int step = 16; step > 0; step >>= 1) {
        double other = __shfl_down_sync(ALL, value, step);
        long long there = __shfl_down_sync(ALL, where, step);
        if (other > value || (other == value && there < where)) { value = other; where = there; }
    }
    __syncthreads();
    if (lane == 0) { shared[warp] = value; shared[WARPS + warp] = (double)where; }
    __syncthreads();
    value = shared[0];
    where = (long long)shared[WARPS];
    for (int w = 1; w < WARPS; ++w) {
        double other = shared[w];
        long long there = (long long)shared[WARPS + w];
        if (other > value || (other == value && there < where)) { value = other; where = there; }
    }
}

static __device__ double square_of(double v) { return v * v; }

struct Start { double mx, my, a, b, mean_square; };  // the points' mean, the algebraic centre about it (NaN on a line)

static __device__ Start algebraic(const double *x, const double *y, long long n, double *shared)
{
    double mean[2] = {0.0, 0.0};
    for (long long k = threadIdx.x; k < n; k += blockDim.x) { mean[0] += x[k]; mean[1] += y[k]; }
    block_sum<2>(mean, shared);
    Start s = {mean[0] / n, mean[1] / n, 0.0, 0.0, 0.0};
    double m[5] = {0.0, 0.0, 0.0, 0.0, 0.0};
    for (long long k = threadIdx.x; k < n; k += blockDim.x) {
        double u = x[k] - s.mx, v = y[k] - s.my, z = u * u + v * v;
        m[0] += u * u; m[1] += u * v; m[2] += v * v; m[3] += u * z; m[4] += v * z;
    }
    block_sum<5>(m, shared);
    double determinant = m[0] * m[2] - m[1] * m[1];
    if (!(determinant > 16.0 * EPS * square_of(m[0] + m[2]))) determinant = nan("");
    s.a = (m[2] * m[3] - m[1] * m[4]) / (2.0 * determinant);
    s.b = (m[0] * m[4] - m[1] * m[3]) / (2.0 * determinant);
    s.mean_square = (m[0] + m[2]) / n;
    return s;
}

// The centre of the circle through (ax, ay), (bx, by), (cx, cy); NaN where they are on a line.
static __device__ void circumcentre(double ax, double ay, double bx, double by, double cx, double cy, double &sx, double &sy)
{
    double px = bx - ax, py = by - ay, qx = cx - ax, qy = cy - ay;
    double p = (px * (ax + bx) + py * (ay + by)) / 2.0, q = (qx * (ax + cx) + qy * (ay + cy)) / 2.0;
    double determinant = px * qy - py * qx;
    if (determinant == 0.0) determinant = nan("");
    sx = (p * qy - q * py) / determinant;
    sy = (q * px - p * qx) / determinant;
}

extern "C" __global__ void least_squares_circle(const double *x, const double *y, long long n, long long steps, long long circles,
                                                double *out)
{
    __shared__ double shared[11 * WARPS];
    for (long long c = blockIdx.x; c < circles; c += gridDim.x) {
        const double *cx = x + c * n, *cy = y + c * n;
        Start s = algebraic(cx, cy, n, shared);
        double a = s.a, b = s.b, radius = sqrt(a * a + b * b + s.mean_square), before = radius;
        for (long long step = 0; step < steps; ++step) {
            double qx = -a / radius, qy = -b / radius;  // u about its value towards the mean, r about the radius: no digits cancel
            double m[11] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
            for (long long k = threadIdx.x; k < n; k += blockDim.x) {
                double dx = cx[k] - s.mx - a, dy = cy[k] - s.my - b, r = sqrt(dx * dx + dy * dy);
                double ux = dx / r, uy = dy / r, px = ux - qx, py = uy - qy, d = r - radius, bend = d / r;
                m[0] += d; m[1] += d * px; m[2] += d * py; m[3] += px; m[4] += py;
                m[5] += px * px; m[6] += px * py; m[7] += py * py;
                m[8] += bend * uy * uy; m[9] -= bend * ux * uy; m[10] += bend * ux * ux;
            }
            block_sum<11>(m, shared);
            double e = m[0] / n, vx = m[3] / n, vy = m[4] / n, gx = m[1] - e * m[3], gy = m[2] - e * m[4];
            double hxx = m[5] - m[3] * vx, hxy = m[6] - m[3] * vy, hyy = m[7] - m[4] * vy;
            if ((hxx + m[8]) * (hyy + m[10]) > square_of(hxy + m[9]) && hxx + hyy + m[8] + m[10] > 0.0) {
                hxx += m[8]; hxy += m[9]; hyy += m[10];
            }
            double determinant = hxx * hyy - hxy * hxy;
            double sx = (hyy * gx - hxy * gy) / determinant, sy = (hxx * gy - hxy * gx) / determinant;
            radius = radius + e - (vx + qx) * sx - (vy + qy) * sy;
            a += sx;
            b += sy;
            double moved = sx * sx + sy * sy;
            if (!(moved > EPS * radius * before)) break;
            before = sqrt(moved);
        }
        if (threadIdx.x == 0) { out[3 * c] = a + s.mx; out[3 * c + 1] = b + s.my; out[3 * c + 2] = radius; }
    }
}

// The points come in order of their angle around the algebraic centre.
extern "C" __global__ void minimum_zone_circle(const double *x, const double *y, long long n, long long steps, double tolerance,
                                               long long circles, double *out)
{
    __shared__ double shared[5 * WARPS];
    for (long long c = blockIdx.x; c < circles; c += gridDim.x) {
        const double *cx = x + c * n, *cy = y + c * n;
        Start s = algebraic(cx, cy, n, shared);
        double a = s.a, b = s.b, best_a = a, best_b = b, best_inner = 0.0, best_outer = HUGE_VALUE, reference = -HUGE_VALUE;
        bool proven = false, tied = false;  // tied: the four do not alternate
        long long in_1 = 0, in_2 = 0, out_1 = 0, out_2 = 0;
        for (int part = 0; part < 2; ++part) {  // the nearest of the second quarter and of the fourth
            long long from = part ? 3 * n / 4 : n / 4, to = part ? n : n / 2, where = n;
            double value = -HUGE_VALUE;
            for (long long k = from + threadIdx.x; k < to; k += blockDim.x) {
                double lower = -(square_of(cx[k] - s.mx - a) + square_of(cy[k] - s.my - b));
                if (lower > value) { value = lower; where = k; }
            }
            block_largest(value, where, shared);
            if (part) in_2 = where; else in_1 = where;
        }
        bool finite = a - a == 0.0 && b - b == 0.0;
        for (long long step = 0; finite && step < steps; ++step) {
            double extreme[2] = {0.0, 0.0};  // farthest and nearest of all
            for (int turn = 0; turn < 2; ++turn) {  // the farthest between the inner points, then the nearest between the outer
                long long first = turn ? out_1 : in_1, second = turn ? out_2 : in_2;
                long long low = first < second ? first : second, high = first < second ? second : first;
                double sign = turn ? -1.0 : 1.0, inside = -HUGE_VALUE, outside = -HUGE_VALUE, all = -HUGE_VALUE;
                long long at_inside = n, at_outside = n, at_all = n;
                for (long long k = threadIdx.x; k < n; k += blockDim.x) {
                    double height = sign * (square_of(cx[k] - s.mx - a) + square_of(cy[k] - s.my - b));
                    if (height > all) { all = height; at_all = k; }
                    if (k > low && k < high) { if (height > inside) { inside = height; at_inside = k; } }
                    else if ((k < low || k > high) && height > outside) { outside = height; at_outside = k; }
                }
                block_largest(inside, at_inside, shared);
                block_largest(outside, at_outside, shared);
                block_largest(all, at_all, shared);
                extreme[turn] = sign * all;
                if (turn) { in_1 = at_inside; in_2 = at_outside; } else { out_1 = at_inside; out_2 = at_outside; }
            }
            double outer = sqrt(extreme[0]), inner = sqrt(extreme[1]);
            if (outer - inner < best_outer - best_inner) { best_a = a; best_b = b; best_inner = inner; best_outer = outer; }
            if (best_outer - best_inner - reference <= tolerance * outer) {
                proven = !tied && best_outer - best_inner - reference >= -64.0 * EPS * outer;  // else terms of second order decide
                break;
            }
            double ax = cx[out_1] - s.mx - a, ay = cy[out_1] - s.my - b, bx = cx[out_2] - s.mx - a, by = cy[out_2] - s.my - b;
            double ex = cx[in_1] - s.mx - a, ey = cy[in_1] - s.my - b, fx = cx[in_2] - s.mx - a, fy = cy[in_2] - s.my - b;
            double px = bx - ax, py = by - ay, qx = fx - ex, qy = fy - ey;
            double p = (px * (ax + bx) + py * (ay + by)) / 2.0, q = (qx * (ex + fx) + qy * (ey + fy)) / 2.0;
            double determinant = px * qy - py * qx;
            if (determinant == 0.0) break;
            double sx = (p * qy - q * py) / determinant, sy = (q * px - p * qx) / determinant;
            double level = sqrt(square_of(ax - sx) + square_of(ay - sy)) - sqrt(square_of(ex - sx) + square_of(ey - sy));
            double ox = ax - sx, oy = ay - sy, size = ox * ox + oy * oy;  // whether the four alternate, on one circle around the new centre
            double longer = sqrt(size / (square_of(ex - sx) + square_of(ey - sy)));
            double one = px * (longer * (ey - sy) - oy) - py * (longer * (ex - sx) - ox);
            double other = px * (longer * (fy - sy) - oy) - py * (longer * (fx - sx) - ox), flat = 64.0 * EPS * size;
            tied = !(fmin(one, other) < -flat && fmax(one, other) > flat);
            a += sx;
            b += sy;
            reference = fabs(level);
            if (level < 0.0) { in_1 = out_1; in_2 = out_2; }  // the four are the other way round
        }
        if (threadIdx.x == 0) {
            double lost = proven ? 0.0 : nan("");
            out[4 * c] = best_a + s.mx + lost; out[4 * c + 1] = best_b + s.my + lost;
            out[4 * c + 2] = best_inner + lost; out[4 * c + 3] = best_outer + lost;
        }
    }
}

// The farthest point from (a, b), about the mean.
static __device__ long long farthest(const double *x, const double *y, long long n, double mx, double my, double a, double b,
                                     double &square, double *shared)
{
    long long where = n;
    square = -1.0;
    for (long long k = threadIdx.x; k < n; k += blockDim.x) {
        double away = square_of(x[k] - mx - a) + square_of(y[k] - my - b);
        if (away > square) { square = away; where = k; }
    }
    block_largest(square, where, shared);
    return where;
}

extern "C" __global__ void minimum_circumscribed_circle(const double *x, const double *y, long long n, long long steps, double tolerance,
                                                        long long circles, double *out)
{
    __shared__ double shared[2 * WARPS];
    for (long long c = blockIdx.x; c < circles; c += gridDim.x) {
        const double *cx = x + c * n, *cy = y + c * n;
        double mean[2] = {0.0, 0.0}, square;
        for (long long k = threadIdx.x; k < n; k += blockDim.x) { mean[0] += cx[k]; mean[1] += cy[k]; }
        block_sum<2>(mean, shared);
        double mx = mean[0] / n, my = mean[1] / n, a = nan(""), b = a, radius = a;
        bool proven = false;
        if (mx - mx == 0.0 && my - my == 0.0) {
            long long first = farthest(cx, cy, n, mx, my, 0.0, 0.0, square, shared);
            double px = cx[first] - mx, py = cy[first] - my;
            long long second = farthest(cx, cy, n, mx, my, px, py, square, shared);
            double qx = cx[second] - mx, qy = cy[second] - my;
            double hx[3] = {px, qx, qx}, hy[3] = {py, qy, qy};
            a = (px + qx) / 2.0;
            b = (py + qy) / 2.0;
            radius = sqrt(square) / 2.0;
            for (long long step = 0; step < steps; ++step) {
                long long far = farthest(cx, cy, n, mx, my, a, b, square, shared);
                if (!(square > square_of(radius * (1.0 + tolerance)))) { proven = true; break; }
                px = cx[far] - mx - a;
                py = cy[far] - my - b;
                for (int k = 0; k < 3; ++k) { hx[k] -= a; hy[k] -= b; }
                double best = HUGE_VALUE, best_x = nan(""), best_y = best_x, jx = px, jy = py, kx = px, ky = py;
                for (int candidate = 0; candidate < 6; ++candidate) {  // p with one of the held (a diameter) or with two
                    int j = candidate < 3 ? candidate : (candidate < 5 ? 0 : 1), k = candidate < 3 ? candidate : (candidate == 3 ? 1 : 2);
                    double ox = (px + hx[j]) / 2.0, oy = (py + hy[j]) / 2.0;
                    if (candidate >= 3) circumcentre(px, py, hx[j], hy[j], hx[k], hy[k], ox, oy);
                    double r = sqrt(square_of(px - ox) + square_of(py - oy));
                    bool encloses = true;
                    for (int m = 0; m < 3; ++m)
                        encloses = encloses && sqrt(square_of(hx[m] - ox) + square_of(hy[m] - oy)) <= r * (1.0 + tolerance);
                    if (encloses && r < best) { best = r; best_x = ox; best_y = oy; jx = hx[j]; jy = hy[j]; kx = hx[k]; ky = hy[k]; }
                }
                hx[0] = px + a; hy[0] = py + b; hx[1] = jx + a; hy[1] = jy + b; hx[2] = kx + a; hy[2] = ky + b;
                a += best_x;
                b += best_y;
                radius = best;
            }
        }
        if (threadIdx.x == 0) {
            double lost = proven ? 0.0 : nan("");
            out[3 * c] = a + mx + lost; out[3 * c + 1] = b + my + lost; out[3 * c + 2] = radius + lost;
        }
    }
}

// Whether three points leave no half turn open around the origin, counter-clockwise.
static __device__ bool surround(const double *px, const double *py, double least)
{
    return px[0] * py[1] - py[0] * px[1] > least && px[1] * py[2] - py[1] * px[2] > least && px[2] * py[0] - py[2] * px[0] > least;
}

extern "C" __global__ void maximum_inscribed_circle(const double *x, const double *y, long long n, long long steps, double tolerance,
                                                    long long circles, double *out)
{
    __shared__ double shared[5 * WARPS];
    for (long long c = blockIdx.x; c < circles; c += gridDim.x) {
        const double *cx = x + c * n, *cy = y + c * n;
        Start s = algebraic(cx, cy, n, shared);
        double a = s.a, b = s.b, radius = nan("");
        bool proven = false;
        if (a - a == 0.0 && b - b == 0.0) {
            long long at[3] = {n, n, n};
            double value = -HUGE_VALUE, left = -HUGE_VALUE, right = -HUGE_VALUE, hx[3], hy[3];
            for (long long k = threadIdx.x; k < n; k += blockDim.x) {  // the nearest of all
                double away = -(square_of(cx[k] - s.mx - a) + square_of(cy[k] - s.my - b));
                if (away > value) { value = away; at[0] = k; }
            }
            block_largest(value, at[0], shared);
            double ux = cx[at[0]] - s.mx - a, uy = cy[at[0]] - s.my - b;
            for (long long k = threadIdx.x; k < n; k += blockDim.x) {  // on either side, the one most nearly opposite to it
                double vx = cx[k] - s.mx - a, vy = cy[k] - s.my - b, away = vx * vx + vy * vy;
                double opposite = -(ux * vx + uy * vy) / sqrt(away > 0.0 ? away : 1.0);
                if (ux * vy - uy * vx >= 0.0) { if (opposite > left) { left = opposite; at[1] = k; } }
                else if (opposite > right) { right = opposite; at[2] = k; }
            }
            block_largest(left, at[1], shared);
            block_largest(right, at[2], shared);
            for (int k = 0; k < 3; ++k) {
                at[k] = at[k] < n ? at[k] : 0;
                hx[k] = cx[at[k]] - s.mx - a;
                hy[k] = cy[at[k]] - s.my - b;
            }
            bool closed = surround(hx, hy, 0.0);
            for (long long step = 0; closed && step < steps; ++step) {
                double near[3] = {-HUGE_VALUE, -HUGE_VALUE, -HUGE_VALUE}, nearest = -HUGE_VALUE, tx[3], ty[3];
                long long taken[3] = {n, n, n}, of_all = n;
                for (long long k = threadIdx.x; k < n; k += blockDim.x) {
                    double vx = cx[k] - s.mx - a, vy = cy[k] - s.my - b, away = -(vx * vx + vy * vy);
                    bool l0 = hx[0] * vy - hy[0] * vx > 0.0, l1 = hx[1] * vy - hy[1] * vx > 0.0, l2 = hx[2] * vy - hy[2] * vx > 0.0;
                    if (away > nearest) { nearest = away; of_all = k; }
                    if (!l1 && l2 && away > near[0]) { near[0] = away; taken[0] = k; }
                    if (!l2 && l0 && away > near[1]) { near[1] = away; taken[1] = k; }
                    if (!l0 && l1 && away > near[2]) { near[2] = away; taken[2] = k; }
                }
                block_largest(nearest, of_all, shared);
                for (int k = 0; k < 3; ++k) block_largest(near[k], taken[k], shared);
                if (-nearest >= square_of(radius * (1.0 - tolerance))) { proven = surround(hx, hy, 64.0 * EPS * -nearest); break; }
                for (int k = 0; k < 3; ++k) {
                    long long from = taken[k] < n ? taken[k] : 0;
                    tx[k] = cx[from] - s.mx - a;
                    ty[k] = cy[from] - s.my - b;
                }
                bool together = surround(tx, ty, 0.0);
                for (int k = 0; k < 3; ++k)
                    if (taken[k] < n && (together || near[k] >= nearest)) { hx[k] = tx[k]; hy[k] = ty[k]; }
                double sx, sy;
                circumcentre(hx[0], hy[0], hx[1], hy[1], hx[2], hy[2], sx, sy);
                radius = sqrt(square_of(hx[0] - sx) + square_of(hy[0] - sy));
                a += sx;
                b += sy;
                for (int k = 0; k < 3; ++k) { hx[k] -= sx; hy[k] -= sy; }
            }
        }
        if (threadIdx.x == 0) {
            double lost = proven ? 0.0 : nan("");
            out[3 * c] = a + s.mx + lost; out[3 * c + 1] = b + s.my + lost; out[3 * c + 2] = radius + lost;
        }
    }
}
