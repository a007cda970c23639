// CUDA on the CPU: enough of the CUDA language, on x86-64 and g++, to run the kernels of this project unmodified.
//
// Blocks run one after another. The threads of a block are fibers that switch only at barriers and warp operations,
// in a chosen order; or, with -DSHIM_THREADS, threads of the operating system, so that ThreadSanitizer sees them.
// Shared memory is poisoned before every block. Waiting that cannot end is reported with the lines of the source.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define SHIM_NO_ASAN __attribute__((no_sanitize_address, noinline))
#else
#define SHIM_NO_ASAN
#endif

#ifdef SHIM_THREADS
#define SHIM_PER_THREAD thread_local
#else
#define SHIM_PER_THREAD
#endif

// ---- words of the language ------------------------------------------------------------------------------------------
#define __global__ __attribute__((unused))
#define __device__ __attribute__((unused))
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __constant__ static const
#define __shared__ static __attribute__((section("shim_shared")))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct double2 { double x, y; };
struct double3 { double x, y, z; };
struct double4 { double x, y, z, w; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct int2 { int x, y; };
struct longlong2 { long long x, y; };
static inline double2 make_double2(double x, double y) { return {x, y}; }
static inline double3 make_double3(double x, double y, double z) { return {x, y, z}; }
static inline double4 make_double4(double x, double y, double z, double w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }

static SHIM_PER_THREAD uint3 threadIdx;
static uint3 blockIdx;
static dim3 blockDim, gridDim;
static const int warpSize = 32;

// the poison must see the bounds of static shared memory even in a file that has none
__attribute__((used)) __shared__ unsigned char shim_shared_is_never_empty[8];
extern "C" unsigned char __start_shim_shared[] __attribute__((visibility("hidden")));
extern "C" unsigned char __stop_shim_shared[] __attribute__((visibility("hidden")));

namespace shim {

struct Config {
    unsigned grid[3], block[3];
    long long shared_bytes;
    long long order;  // 0 forward, 1 reverse, otherwise the seed of a shuffle
    int has_barriers;
};

// ---- waiting: a fiber yields to the scheduler, a thread sleeps on a condition -----------------------------------------
[[noreturn]] void fail(const std::string &what);

#ifdef SHIM_THREADS
struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    void lock() { mutex.lock(); }
    void unlock() { mutex.unlock(); }
    void wake() { changed.notify_all(); }
    template <class Until> void wait(Until until) {
        std::unique_lock<std::mutex> held(mutex, std::adopt_lock);
        while (!until()) changed.wait(held);
        held.release();
    }
};
[[noreturn]] void fail(const std::string &what) {
    std::fprintf(stderr, "shim: %s\n", what.c_str());
    std::fflush(stderr);
    std::_Exit(3);
}
static void note_progress() {}
#else
static void yield();
static long long progress;
static void note_progress() { ++progress; }
struct Gate {
    void lock() {}
    void unlock() {}
    void wake() {}
    template <class Until> void wait(Until until) { while (!until()) yield(); }
};
#endif

// ---- one block: its barrier and its warps -----------------------------------------------------------------------------
struct Barrier {
    Gate gate;
    int arrived = 0, line = 0, sum = 0, last_sum = 0;
    unsigned long long generation = 0;
};

struct Warp {
    Gate gate;
    unsigned exists = 0, exited = 0, waiting = 0;
    unsigned wanted[32] = {};
    int line[32] = {};
    unsigned long long generation[32] = {};
    uint64_t value[32] = {}, seen[32][32] = {};

    // releases the group of `mask` when every thread in it that exists and has not left the kernel has arrived
    void try_release(unsigned mask) {
        unsigned group = mask & exists & ~exited;
        if (group == 0 || (waiting & group) != group) return;
        for (int l = 0; l < 32; ++l)
            if ((group >> l & 1) && wanted[l] != mask) return;
        int first = __builtin_ctz(group);
        for (int l = first; l < 32; ++l)
            if ((group >> l & 1) && line[l] != line[first])
                fail("threads of a warp wait at different warp operations, line " + std::to_string(line[first]) +
                     " and line " + std::to_string(line[l]));
        for (int l = 0; l < 32; ++l) {
            if (!(group >> l & 1)) continue;
            for (int from = 0; from < 32; ++from)
                seen[l][from] = (group >> from & 1) ? value[from] : ~uint64_t(0);  // a lane outside: poison
            ++generation[l];
        }
        waiting &= ~group;
        note_progress();
        gate.wake();
    }
};

struct Block {
    int threads = 0;
    Barrier barrier;
    std::vector<Warp> warps;
    explicit Block(int n) : threads(n), warps((n + 31) / 32) {
        for (int t = 0; t < n; ++t) warps[t / 32].exists |= 1u << (t % 32);
    }
};
static Block *block;
static unsigned char *dynamic_shared;
static SHIM_PER_THREAD int me;  // index of the running thread in its block

static int meet(int line, int contribution) {
    Barrier &b = block->barrier;
    b.gate.lock();
    if (b.arrived == 0) {
        b.line = line;
        b.sum = 0;
    } else if (b.line != line) {
        int other = b.line;
        b.gate.unlock();
        fail("threads of a block wait at different barriers, line " + std::to_string(other) + " and line " +
             std::to_string(line));
    }
    b.sum += contribution;
    note_progress();
    if (++b.arrived == block->threads) {
        b.arrived = 0;
        b.last_sum = b.sum;
        ++b.generation;
        b.gate.wake();
    } else {
        unsigned long long mine = b.generation;
        b.gate.wait([&] { return b.generation != mine; });
    }
    int sum = b.last_sum;
    b.gate.unlock();
    return sum;
}

static const uint64_t *exchange(int line, unsigned mask, uint64_t value) {
    Warp &w = block->warps[me / 32];
    int lane = me % 32;
    if (!(mask >> lane & 1))
        fail("line " + std::to_string(line) + ": a thread calls a warp operation whose mask leaves it out");
    w.gate.lock();
    w.value[lane] = value;
    w.wanted[lane] = mask;
    w.line[lane] = line;
    w.waiting |= 1u << lane;
    note_progress();
    unsigned long long mine = w.generation[lane];
    w.try_release(mask);
    w.gate.wait([&] { return w.generation[lane] != mine; });
    w.gate.unlock();
    return w.seen[lane];
}

static void leave() {
    Warp &w = block->warps[me / 32];
    w.gate.lock();
    w.exited |= 1u << (me % 32);
    for (int l = 0; l < 32; ++l)
        if (w.waiting >> l & 1) w.try_release(w.wanted[l]);
    w.gate.unlock();
    note_progress();
}

static void place(int t) {
    me = t;
    threadIdx.x = t % blockDim.x;
    threadIdx.y = t / blockDim.x % blockDim.y;
    threadIdx.z = t / (blockDim.x * blockDim.y);
}

// ---- the order of blocks and threads ------------------------------------------------------------------------------------
struct Order {
    long long kind;
    uint64_t state;
    explicit Order(long long k) : kind(k), state(uint64_t(k) * 0x9e3779b97f4a7c15ull + 1) {}
    uint64_t next() {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return state;
    }
    void arrange(std::vector<int> &v) {
        for (size_t i = 0; i < v.size(); ++i) v[i] = int(kind == 1 ? v.size() - 1 - i : i);
        if (kind > 1)
            for (size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[next() % i]);
    }
};

// ---- fibers ---------------------------------------------------------------------------------------------------------------
#ifndef SHIM_THREADS
extern "C" void shim_switch(void **save, void *load) __attribute__((visibility("hidden")));
asm(R"(
.text
.hidden shim_switch
.globl shim_switch
.type shim_switch, @function
shim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size shim_switch, .-shim_switch
)");

static const size_t STACK = 256 * 1024;
struct Fiber {
    void *sp = nullptr;
    unsigned char *stack = nullptr;
    bool done = false;
    void *fake = nullptr;  // AddressSanitizer's
};
static std::vector<Fiber> fibers;
static void *scheduler_sp, *scheduler_fake;
static const void *scheduler_stack;
static size_t scheduler_size;
static const std::function<void()> *body;
static std::string failure;

static void into_scheduler(bool for_ever) {
    (void)for_ever;
    Fiber &f = fibers[me];
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &f.fake, scheduler_stack, scheduler_size);
#endif
    shim_switch(&f.sp, scheduler_sp);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fibers[me].fake, &scheduler_stack, &scheduler_size);
#endif
}
static void yield() { into_scheduler(false); }
[[noreturn]] void fail(const std::string &what) {
    failure = what;
    into_scheduler(true);
    std::abort();
}
static void fiber_main() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    (*body)();
    leave();
    fibers[me].done = true;
    into_scheduler(true);
}
static void resume(int t) {
    place(t);
    Fiber &f = fibers[t];
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&scheduler_fake, f.stack, STACK);
#endif
    shim_switch(&scheduler_sp, f.sp);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}
static std::string where_they_wait(int alive) {
    std::string text = std::to_string(block->threads - alive) + " of " + std::to_string(block->threads) +
                       " threads have left the kernel";
    if (block->barrier.arrived)
        text += ", " + std::to_string(block->barrier.arrived) + " wait at the barrier of line " +
                std::to_string(block->barrier.line);
    for (auto &w : block->warps)
        for (int l = 0; l < 32; ++l)
            if (w.waiting >> l & 1)
                return text + ", others at the warp operation of line " + std::to_string(w.line[l]);
    return text;
}
static void run_block(const Config &config, Order &order, const std::function<void()> &kernel) {
    int n = block->threads;
    std::vector<int> turn(n);
    if (!config.has_barriers) {
        order.arrange(turn);
        for (int t : turn) {
            place(t);
            kernel();
        }
        return;
    }
    body = &kernel;
    for (size_t t = fibers.size(); t < size_t(n); ++t) {
        fibers.emplace_back();
        fibers.back().stack = static_cast<unsigned char *>(std::malloc(STACK));
    }
    for (int t = 0; t < n; ++t) {
        void **top = reinterpret_cast<void **>((reinterpret_cast<uintptr_t>(fibers[t].stack) + STACK) & ~uintptr_t(15));
        top[-1] = nullptr;
        top[-2] = reinterpret_cast<void *>(fiber_main);
        for (int r = 3; r <= 8; ++r) top[-r] = nullptr;
        fibers[t].sp = top - 8;
        fibers[t].done = false;
    }
    for (int alive = n; alive > 0;) {
        long long before = progress;
        order.arrange(turn);
        for (int t : turn) {
            if (fibers[t].done) continue;
            resume(t);
            if (!failure.empty()) return;
            if (fibers[t].done) --alive;
        }
        if (alive > 0 && progress == before) {
            failure = "waiting that cannot end: " + where_they_wait(alive);
            return;
        }
    }
}
#else
static std::string failure;
static void run_block(const Config &, Order &order, const std::function<void()> &kernel) {
    std::vector<int> turn(block->threads);
    order.arrange(turn);
    std::vector<std::thread> threads;
    for (int t : turn)
        threads.emplace_back([t, &kernel] {
            place(t);
            kernel();
            leave();
        });
    for (auto &t : threads) t.join();
}
#endif

SHIM_NO_ASAN static void poison(unsigned char *from, unsigned char *to) {
    for (volatile unsigned char *p = from; p != to; ++p) *p = 0xff;  // NaN as a number, -1 as an index
}

static const char *launch(const Config &config, const std::function<void()> &kernel) {
    failure.clear();
    gridDim = {config.grid[0], config.grid[1], config.grid[2]};
    blockDim = {config.block[0], config.block[1], config.block[2]};
    int n = int(blockDim.x * blockDim.y * blockDim.z), blocks = int(gridDim.x * gridDim.y * gridDim.z);
    if (n > 1024) failure = "a block of " + std::to_string(n) + " threads; a device takes 1024";
    Order order(config.order);
    std::vector<int> turn(blocks);
    order.arrange(turn);
    for (int b : turn) {
        if (!failure.empty()) break;
        blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / (gridDim.x * gridDim.y)};
        poison(__start_shim_shared, __stop_shim_shared);
        dynamic_shared = static_cast<unsigned char *>(std::malloc(config.shared_bytes));
        if (config.shared_bytes) poison(dynamic_shared, dynamic_shared + config.shared_bytes);
        Block current(n);
        block = &current;
        run_block(config, order, kernel);
        std::free(dynamic_shared);
    }
    return failure.empty() ? nullptr : failure.c_str();
}

// ---- what a kernel takes, so that the caller's arrays can be checked against it -------------------------------------------
template <class T> constexpr const char *code() {
    using U = std::remove_cv_t<T>;
    if (std::is_same_v<U, double>) return "d";
    if (std::is_same_v<U, float>) return "f";
    if (std::is_same_v<U, long long>) return "q";
    if (std::is_same_v<U, unsigned long long>) return "Q";
    if (std::is_same_v<U, int>) return "i";
    if (std::is_same_v<U, unsigned>) return "I";
    if (std::is_same_v<U, unsigned char>) return "B";
    if (std::is_same_v<U, bool>) return "?";
    return "x";
}
template <class T> std::string describe() {
    if constexpr (std::is_pointer_v<T>) {
        using E = std::remove_pointer_t<T>;
        return std::string(std::is_const_v<E> ? "const " : "") + code<E>() + "*";
    } else {
        return code<T>();
    }
}
template <class... A> const char *signature(void (*)(A...)) {
    static std::string text;
    text.clear();
    ((text += describe<A>() + ","), ...);
    return text.c_str();
}
template <class... A, size_t... I>
const char *call(void (*kernel)(A...), const Config &config, void **args, std::index_sequence<I...>) {
    return launch(config, [=] { kernel(*static_cast<std::remove_cv_t<A> *>(args[I])...); });
}
template <class... A> const char *call(void (*kernel)(A...), const Config &config, void **args) {
    return call(kernel, config, args, std::index_sequence_for<A...>{});
}

// ---- warp operations --------------------------------------------------------------------------------------------------------
template <class T> uint64_t pack(T v) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most eight bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof v);
    return bits;
}
template <class T> T unpack(uint64_t bits) {
    T v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}
template <class T> T shfl(int line, unsigned mask, T v, int source, int width = 32) {
    int lane = me % 32, base = lane / width * width;
    return unpack<T>(exchange(line, mask, pack(v))[base + (source & (width - 1))]);
}
template <class T> T shfl_up(int line, unsigned mask, T v, unsigned delta, int width = 32) {
    int lane = me % 32, from = lane - int(delta);
    const uint64_t *all = exchange(line, mask, pack(v));
    return unpack<T>(all[from < lane / width * width ? lane : from]);
}
template <class T> T shfl_down(int line, unsigned mask, T v, unsigned delta, int width = 32) {
    int lane = me % 32, from = lane + int(delta);
    const uint64_t *all = exchange(line, mask, pack(v));
    return unpack<T>(all[from >= (lane / width + 1) * width ? lane : from]);
}
template <class T> T shfl_xor(int line, unsigned mask, T v, int pattern, int width = 32) {
    int lane = me % 32, from = lane ^ pattern;
    const uint64_t *all = exchange(line, mask, pack(v));
    return unpack<T>(all[from >= (lane / width + 1) * width ? lane : from]);
}
static unsigned ballot(int line, unsigned mask, int predicate) {
    const uint64_t *all = exchange(line, mask, predicate != 0);
    unsigned bits = 0;
    for (int l = 0; l < 32; ++l)
        if (all[l] == 1) bits |= 1u << l;
    return bits & mask;
}
static unsigned standing(unsigned mask) {
    Warp &w = block->warps[me / 32];
    w.gate.lock();
    unsigned here = mask & w.exists & ~w.exited;
    w.gate.unlock();
    return here;
}
}  // namespace shim

#define __syncthreads() ((void)shim::meet(__LINE__, 0))
#define __syncthreads_count(p) shim::meet(__LINE__, (p) != 0)
#define __syncthreads_or(p) (shim::meet(__LINE__, (p) != 0) != 0)
#define __syncthreads_and(p) (shim::meet(__LINE__, (p) != 0) == shim::block->threads)
#define SHIM_FIRST(a, ...) a
#define __syncwarp(...) ((void)shim::exchange(__LINE__, SHIM_MASK(__VA_ARGS__), 0))
#define SHIM_MASK(...) (unsigned(0xffffffffu __VA_OPT__(&(__VA_ARGS__))))
#define __shfl_sync(...) shim::shfl(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) shim::shfl_up(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) shim::shfl_down(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) shim::shfl_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, p) shim::ballot(__LINE__, mask, p)
#define __any_sync(mask, p) (shim::ballot(__LINE__, mask, p) != 0)
#define __all_sync(mask, p) (shim::ballot(__LINE__, mask, p) == shim::standing(mask))
static inline unsigned __activemask() { return shim::standing(0xffffffffu); }

// ---- atomics ------------------------------------------------------------------------------------------------------------------
namespace shim {
template <class T, class F> T update(T *p, F next) {
    using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
    Bits *cell = reinterpret_cast<Bits *>(p);
    Bits old = __atomic_load_n(cell, __ATOMIC_RELAXED);
    for (;;) {
        T was;
        std::memcpy(&was, &old, sizeof was);
        T then = next(was);
        Bits bits;
        std::memcpy(&bits, &then, sizeof bits);
        if (__atomic_compare_exchange_n(cell, &old, bits, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return was;
    }
}
template <class T> using Same = std::common_type_t<T>;
}  // namespace shim
template <class T> T atomicAdd(T *p, shim::Same<T> v) { return shim::update(p, [=](T x) { return T(x + v); }); }
template <class T> T atomicSub(T *p, shim::Same<T> v) { return shim::update(p, [=](T x) { return T(x - v); }); }
template <class T> T atomicMin(T *p, shim::Same<T> v) { return shim::update(p, [=](T x) { return v < x ? v : x; }); }
template <class T> T atomicMax(T *p, shim::Same<T> v) { return shim::update(p, [=](T x) { return x < v ? v : x; }); }
template <class T> T atomicOr(T *p, shim::Same<T> v) { return shim::update(p, [=](T x) { return T(x | v); }); }
template <class T> T atomicAnd(T *p, shim::Same<T> v) { return shim::update(p, [=](T x) { return T(x & v); }); }
template <class T> T atomicExch(T *p, shim::Same<T> v) { return shim::update(p, [=](T) { return v; }); }
template <class T> T atomicCAS(T *p, shim::Same<T> seen, shim::Same<T> v) {
    return shim::update(p, [=](T x) { return x == seen ? v : x; });
}
static inline void __threadfence() {}
static inline void __threadfence_block() {}

// ---- arithmetic -----------------------------------------------------------------------------------------------------------------
template <class A, class B> std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return std::fmin(T(a), T(b));
    return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B> std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return std::fmax(T(a), T(b));
    return T(a) < T(b) ? T(b) : T(a);
}
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;
static inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
static inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
static inline void sincospi(double x, double *s, double *c) {
    double r = std::remainder(x, 2.0) * 3.14159265358979323846;
    *s = std::sin(r), *c = std::cos(r);
}
static inline double sinpi(double x) { return std::sin(std::remainder(x, 2.0) * 3.14159265358979323846); }
static inline double cospi(double x) { return std::cos(std::remainder(x, 2.0) * 3.14159265358979323846); }
template <class T> T __ldg(const T *p) { return *p; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return std::sqrt(a); }
static inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
static inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
static inline long long __double_as_longlong(double x) { return shim::unpack<long long>(shim::pack(x)); }
static inline double __longlong_as_double(long long x) { return shim::unpack<double>(shim::pack(x)); }
static inline int __float_as_int(float x) { return shim::unpack<int>(shim::pack(x)); }
static inline float __int_as_float(int x) { return shim::unpack<float>(shim::pack(x)); }
static inline long long __double2ll_rn(double x) { return std::llrint(x); }
static inline long long __double2ll_rd(double x) { return (long long)std::floor(x); }
static inline int __double2int_rn(double x) { return (int)std::lrint(x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

// ---- as a program of its own (for the sanitizers): arguments from a file, arrays back to a file -----------------------------
#ifdef SHIM_MAIN
namespace shim {
struct Entry {
    const char *name;
    const char *(*run)(const Config *, void **);
};
static int main(int argc, char **argv, const Entry *entries, int count) {
    if (argc != 4) return 2;
    std::FILE *in = std::fopen(argv[2], "rb");
    Config config;
    long long n = 0;
    if (!in || std::fread(&config, sizeof config, 1, in) != 1 || std::fread(&n, 8, 1, in) != 1) return 2;
    std::vector<long long> bytes(n);
    std::vector<void *> data(n), args(n);
    for (long long i = 0; i < n; ++i) {
        if (std::fread(&bytes[i], 8, 1, in) != 1) return 2;  // −1: a scalar of eight bytes
        size_t size = bytes[i] < 0 ? 8 : size_t(bytes[i]);
        data[i] = std::malloc(size);  // exactly, so that one element too far is seen
        if (size && std::fread(data[i], 1, size, in) != size) return 2;
        args[i] = bytes[i] < 0 ? data[i] : static_cast<void *>(&data[i]);
    }
    std::fclose(in);
    const char *fault = "no such kernel";
    for (int k = 0; k < count; ++k)
        if (std::strcmp(entries[k].name, argv[1]) == 0) fault = entries[k].run(&config, args.data());
    if (fault) {
        std::fprintf(stderr, "shim: %s\n", fault);
        return 3;
    }
    std::FILE *out = std::fopen(argv[3], "wb");
    for (long long i = 0; i < n; ++i)
        if (bytes[i] > 0 && std::fwrite(data[i], 1, size_t(bytes[i]), out) != size_t(bytes[i])) return 2;
    std::fclose(out);
    return 0;
}
}  // namespace shim
#endif
